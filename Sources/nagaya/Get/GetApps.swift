import ArgumentParser
import KubernetesAPI

struct GetApps: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apps", abstract: "List apps: their endpoint and whether they serve.",
    discussion: """
      EXAMPLES
        nagaya get apps -A
        nagaya get apps hello -n demo-dev
      """,
    aliases: ["app", "applications", "application"])

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.applications, namespace: scope.namespace(session), names: names, session)
    }
  }
}
