import ArgumentParser
import KubernetesClient

struct ConfigView: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "view", abstract: "Show the server, the user's kind of credentials and the namespace in use.",
    discussion: "Keys and tokens are never shown.")

  @OptionGroup var client: ClientOptions

  func run() throws {
    let config: Kubeconfig
    let connection: Kubeconfig.Connection
    do {
      config = try Kubeconfig.load(explicit: client.kubeconfig, fallback: Session.fallbackKubeconfig)
      connection = try config.connection(context: client.context)
    } catch {
      throw CommandFailure("\(error)", remedy: "start Nagaya (nagaya up), or name a kubeconfig with --kubeconfig")
    }
    let credentials = [
      connection.clientCertificate.map { _ in "client certificate" }, connection.token.map { _ in "bearer token" },
    ].compactMap { $0 }
    let rows = [
      ("Kubeconfig:", config.paths.joined(separator: ":")), ("Context:", client.context ?? config.currentContext),
      ("Server:", connection.server),
      ("Credentials:", credentials.isEmpty ? "none" : credentials.joined(separator: ", ")),
      ("Namespace:", connection.namespace),
    ]
    for (name, value) in rows { Console.print(name.padding(to: 13) + value) }
  }
}
