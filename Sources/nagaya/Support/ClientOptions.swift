import ArgumentParser
import KubernetesAPI
import KubernetesClient

/// Which API server, as whom.
struct ClientOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The kubeconfig file. Default: $KUBECONFIG, ~/.kube/config, or that of `nagaya up`.", valueName: "file"),
    completion: .file())
  var kubeconfig: String?

  @Option(help: ArgumentHelp("The kubeconfig's context. Default: its current one.", valueName: "name"))
  var context: String?
}

/// In which namespace.
struct NamespaceOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp("<tenant>-<environment>, e.g. demo-dev. Default: the kubeconfig's.", valueName: "namespace"))
  var namespace: String?
}

/// A client and where it works.
struct Session: Sendable {
  let client: KubernetesClient
  /// Where commands work that name no namespace.
  let defaultNamespace: String

  /// Set by tests: the way to a server in the same process.
  @TaskLocal static var transportForTests: (any APITransport)?

  /// The kubeconfig that `nagaya up` writes.
  static let fallbackKubeconfig = "/var/lib/nagaya/kubeconfig"
  static let userAgent = "nagaya"

  /// Runs `body` with a client; connections are closed afterwards and failures are told with what to do.
  static func open<Result: Sendable>(
    _ options: ClientOptions, _ body: (Session) async throws -> Result
  ) async throws -> Result {
    if let transport = transportForTests {
      let session = Session(client: KubernetesClient(transport, userAgent: userAgent), defaultNamespace: "default")
      do { return try await body(session) } catch let status as APIStatus { throw CommandFailure(status) }
    }
    let connection: Kubeconfig.Connection
    let transport: HTTPSTransport
    do {
      let config = try Kubeconfig.load(explicit: options.kubeconfig, fallback: fallbackKubeconfig)
      connection = try config.connection(context: options.context)
      transport = try HTTPSTransport(connection)
    } catch {
      throw CommandFailure("\(error)", remedy: "start Nagaya (nagaya up), or name a kubeconfig with --kubeconfig")
    }
    let session = Session(
      client: KubernetesClient(transport, userAgent: userAgent), defaultNamespace: connection.namespace)
    do {
      let result = try await body(session)
      await transport.shutdown()
      return result
    } catch {
      await transport.shutdown()
      if let status = error as? APIStatus { throw CommandFailure(status) }
      throw error
    }
  }

  func namespace(_ options: NamespaceOptions) -> String { options.namespace ?? defaultNamespace }
}
