import CertificateAuthority
import JSONDocument
public import KubernetesAPI
public import KubernetesClient
import Locking

/// Reads the logs of containers from the node agents that run them, over https as the API server's own user.
///
/// Where an agent listens its Node object says (`status.addresses`, `status.daemonEndpoints.kubeletEndpoint`); who answers
/// there has to show a certificate for that address, so a node that lies about it gets no further than the handshake.
public final class NodeLogClient: PodLogSource {
  /// What the API server shows to nodes, and whom it believes; PEM.
  public struct Identity: Sendable, Hashable {
    public var authority: [UInt8]
    public var certificate: [UInt8]
    public var key: [UInt8]

    public init(authority: [UInt8], certificate: [UInt8], key: [UInt8]) {
      self.authority = authority
      self.certificate = certificate
      self.key = key
    }
  }

  private struct State {
    var identity: Identity
    /// The way to each node, by its name.
    var transports: [String: (server: String, transport: HTTPSTransport)] = [:]
    /// Kept until the next change, for the answers that are still being read from them.
    var previous: [HTTPSTransport] = []
  }
  private let node: @Sendable (String) -> KubernetesObject?
  private let state: Mutex<State>

  /// - Parameter node: the Node object of that name.
  public init(identity: Identity, node: @escaping @Sendable (String) -> KubernetesObject?) {
    state = Mutex(State(identity: identity))
    self.node = node
  }

  /// Shows nodes another certificate, and believes them by other roots, from the next request on.
  public func use(_ identity: Identity) {
    state.withLock { state in
      guard state.identity != identity else { return }
      state.identity = identity
      state.previous = state.transports.values.map(\.transport)
      state.transports = [:]
    }
  }

  /// - Throws: `badRequest` for a container that is not there or has not started; `serviceUnavailable` while the node's
  ///   agent does not answer.
  public func log(of pod: KubernetesObject, options: PodLogOptions) async throws(APIStatus) -> ByteStream {
    let container = try options.container(of: pod)
    guard let name = pod.spec["nodeName"].string, !name.isEmpty else {
      throw PodLogOptions.notStarted(pod, container)
    }
    let transport = try transport(to: name)
    let request = APIRequest(
      .get, NodeAPI.logPath(namespace: pod.namespace, pod: pod.name, container: container), query: options.query)
    let response: APIResponse
    do { response = try await transport.send(request) } catch {
      throw Self.unavailable(name, "it cannot be reached, or shows a certificate of somebody else")
    }
    guard case .stream(let stream) = response.body else { throw Self.unavailable(name, "it answers nothing") }
    guard response.status == 200 else { throw await Self.refusal(stream, status: response.status, node: name) }
    return stream
  }

  /// The node's own words, as far as they are of a sensible length.
  private static func refusal(_ stream: ByteStream, status: Int, node: String) async -> APIStatus {
    var body: [UInt8] = []
    do {
      for try await chunk in stream {
        body += chunk
        if body.count > 64 << 10 { break }
      }
    } catch { body = [] }
    return APIStatus(
      json: (try? JSONValue(parsing: body)) ?? ["message": .string("the node \"\(node)\" answers \(status)")],
      httpStatus: status)
  }

  private func transport(to name: String) throws(APIStatus) -> HTTPSTransport {
    guard let object = node(name) else {
      throw APIStatus(.serviceUnavailable, "the node \"\(name)\" is not there; its logs cannot be read")
    }
    let address = object.status["addresses"].elements.first { $0["type"].string == "InternalIP" }?["address"].string
    let port = object.status["daemonEndpoints"]["kubeletEndpoint"]["Port"].int ?? 0
    guard let address, LeafRequest.isAddress(address), (1...65_535).contains(port) else {
      throw Self.unavailable(name, "it has not said where it listens")
    }
    let server = address.contains(":") ? "https://[\(address)]:\(port)" : "https://\(address):\(port)"
    return try state.withLock { (state) throws(APIStatus) in
      if let known = state.transports[name], known.server == server { return known.transport }
      let connection = Kubeconfig.Connection(
        server: server, authority: state.identity.authority, clientCertificate: state.identity.certificate,
        clientKey: state.identity.key, origin: "node \(name)")
      do throws(KubeconfigError) {
        let transport = try HTTPSTransport(connection, requestTimeout: .seconds(15))
        state.transports[name] = (server, transport)
        return transport
      } catch {
        throw APIStatus(.internalError, "the API server's own certificate for nodes cannot be used")
      }
    }
  }

  private static func unavailable(_ name: String, _ why: String) -> APIStatus {
    APIStatus(
      .serviceUnavailable,
      "the agent of node \"\(name)\" does not answer (\(why)); its containers go on, their logs can be read once it is back",
      retryAfterSeconds: 1)
  }
}
