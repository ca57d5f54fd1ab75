import ArgumentParser
import KubernetesAPI

struct RolloutStatusApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Wait until an app serves as its newest version.", aliases: ["apps", "application"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The app.") var name: String

  @Option(help: ArgumentHelp("How long to wait: 90s, 2m.", valueName: "time")) var timeout = TimeSpan(seconds: 120)

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      let object = try await session.client.get(.applications, namespace: namespace, name: name)
      let wait = ReadinessWait(client: session.client, namespace: namespace, name: name, limit: timeout)
      try await wait.run(minimumGeneration: object.generation)
      Console.print("app \"\(name)\" successfully rolled out")
    }
  }
}
