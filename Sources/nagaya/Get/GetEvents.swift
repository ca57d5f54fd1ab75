import ArgumentParser
import KubernetesAPI

struct GetEvents: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "List events: what happened, for about an hour.",
    discussion: """
      EXAMPLES
        nagaya get events -A
        nagaya get events -n demo-dev --watch
      """,
    aliases: ["event", "ev"])

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.events, namespace: scope.namespace(session), names: names, session)
    }
  }
}
