import ArgumentParser
import KubernetesAPI

struct GetNamespaces: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "namespaces", abstract: "List namespaces: environments of tenants, <tenant>-<environment>.",
    discussion: """
      EXAMPLES
        nagaya get namespaces
      """,
    aliases: ["namespace", "ns"])

  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.namespaces, namespace: nil, names: names, session)
    }
  }
}
