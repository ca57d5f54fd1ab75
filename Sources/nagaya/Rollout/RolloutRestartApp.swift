import ArgumentParser
import JSONDocument
import KubernetesAPI

struct RolloutRestartApp: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Replace every copy of an app, a few at a time.", aliases: ["apps", "application"])

  /// kubectl's mark on the pod template: a new value makes a new version of it.
  static let annotation = "kubectl.kubernetes.io/restartedAt"

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The app.") var name: String

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      _ = try await session.client.get(.applications, namespace: namespace, name: name)
      var patch: JSONValue = [:]
      patch["spec"]["template"]["metadata"]["annotations"][Self.annotation] = .string(Timestamp.now.description)
      try await session.client.patch(.deployments, namespace: namespace, name: name, patch)
      Console.print("\(ListOutput.qualifiedName(name, of: .applications)) restarted")
    }
  }
}
