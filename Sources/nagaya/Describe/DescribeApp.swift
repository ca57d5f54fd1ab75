import ArgumentParser
import KubernetesAPI

struct DescribeApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Show an app: its state, pods, volumes, what happened lately, and what to do next.",
    discussion: """
      EXAMPLES
        nagaya describe app hello -n demo-dev
      """, aliases: ["apps", "application"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The app.") var name: String

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      let app = try await session.client.get(.applications, namespace: namespace, name: name)
      let parts = try await AppParts.load(session.client, namespace, name)
      let events = try await session.client.list(.events, namespace: namespace).items
      Console.current.write(
        AppDescription(app: app, pods: parts.pods, claims: parts.claims, events: events, now: .now).text)
    }
  }
}
