import ArgumentParser
import Foundation
import JSONDocument

/// `nagaya hooks explain`: why a container has what it has.
struct HooksExplain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Show what the hooks of this machine changed of a pod's containers, and why.",
    discussion: """
      EXAMPLES
        nagaya hooks explain web-0 -n shop-dev
        nagaya hooks explain
      """)

  @Argument(help: "The pod; without it, all pods of this machine.") var pod: String?
  @Option(name: [.short, .long], help: "The pod's namespace; without it, all.") var namespace: String?
  @OptionGroup var directories: HooksDirectories
  @Option(name: [.short, .long], help: "table, json or yaml.") var output = ReportFormat.table

  func run() async throws {
    var parts = URLComponents()
    parts.path = "/v1/containers"
    parts.queryItems = [
      namespace.map { URLQueryItem(name: "namespace", value: $0) }, pod.map { URLQueryItem(name: "pod", value: $0) },
    ].compactMap(\.self)
    let report = try await HooksSocket(directories).ask(parts.string ?? "/v1/containers")
    let containers = report["containers"].elements
    guard !containers.isEmpty || output != .table else {
      throw CommandFailure("no container of this machine is known by that name", remedy: "see `nagaya hooks explain`")
    }
    try output.show(report) {
      [["NAMESPACE", "POD", "CONTAINER", "CHANGE"]]
        + containers.flatMap { container in
          let changes = container["changes"].elements.compactMap(\.string)
          let front = ["namespace", "pod", "container"].map { container[$0].string ?? "" }
          return (changes.isEmpty ? ["nothing"] : changes).map { front + [$0] }
        }
    }
  }
}
