import ArgumentParser
import KubernetesAPI

struct GetNodes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nodes", abstract: "List nodes: the machines.",
    discussion: """
      EXAMPLES
        nagaya get nodes
        nagaya get nodes -o wide
      """,
    aliases: ["node", "no"])

  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.nodes, namespace: nil, names: names, session)
    }
  }
}
