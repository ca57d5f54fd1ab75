import ArgumentParser
import JSONDocument
import KubernetesAPI

struct ScaleApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Change how many copies of an app run; 0 stops it and keeps its volumes.",
    discussion: """
      EXAMPLES
        nagaya scale app hello -n demo-dev --replicas 3
        nagaya scale app hello -n demo-dev --replicas 0
        nagaya scale app hello -n demo-dev --replicas 3 --wait
      """, aliases: ["apps", "application"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The app.") var name: String

  @Option(help: "How many copies run.") var replicas: Int

  @Flag(help: "Wait until they serve.") var wait = false

  @Option(help: ArgumentHelp("How long to wait.", valueName: "time")) var timeout = TimeSpan(seconds: 120)

  func validate() throws {
    guard (0...1000).contains(replicas) else { throw ValidationError("--replicas must be 0 to 1000") }
  }

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      let scaled = try await session.client.patch(
        .applications, namespace: namespace, name: name, ["spec": ["replicas": JSONValue(replicas)]])
      Console.print("\(ListOutput.qualifiedName(name, of: .applications)) scaled")
      guard wait, replicas > 0 else { return }
      let wait = ReadinessWait(client: session.client, namespace: namespace, name: name, limit: timeout)
      try await wait.run(minimumGeneration: scaled.generation)
      try await Listing(resource: .applications, namespace: namespace, names: [name]).show(session.client)
    }
  }
}
