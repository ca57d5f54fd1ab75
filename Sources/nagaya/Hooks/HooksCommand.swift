import ArgumentParser
import JSONDocument

/// `nagaya hooks`: what node hooks do, and would do.
struct Hooks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what node hooks change of containers, and why.",
    subcommands: [HooksStatus.self, HooksTest.self, HooksExplain.self], defaultSubcommand: HooksStatus.self)
}

/// `nagaya hooks status`: whether the runtime can ask.
struct HooksStatus: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show whether containerd is connected with this machine's hooks, and what they know.",
    discussion: """
      EXAMPLES
        nagaya hooks
        nagaya hooks test -f pod.yaml
        nagaya hooks explain web-0 -n shop-dev
      """)

  @OptionGroup var directories: HooksDirectories
  @Option(name: [.short, .long], help: "table, json or yaml.") var output = ReportFormat.table

  func run() async throws {
    let report = try await HooksSocket(directories).ask("/v1/hooks")
    try output.show(report) {
      [
        ["CONNECTED", "POLICIES", "CONTAINERS", "UNADJUSTED"],
        [report["connected"].bool == true ? "yes" : "no"]
          + ["policies", "containers", "unadjusted"].map { "\(report[$0].int ?? 0)" },
      ]
    }
  }
}
