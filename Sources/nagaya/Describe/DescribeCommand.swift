import ArgumentParser

struct Describe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one app with everything that belongs to it.",
    discussion: """
      EXAMPLES
        nagaya describe app hello -n demo-dev
      """, subcommands: [DescribeApp.self])
}
