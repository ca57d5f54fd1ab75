import AsyncHTTPClient
import Glibc
import KubernetesAPI
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The way to an API server over https (HTTP/2 where the server speaks it), as one user.
///
/// Connections are kept and shared by requests; `shutdown` closes them.
public final class HTTPSTransport: APITransport {
  private let client: HTTPClient
  private let connection: Kubeconfig.Connection
  private let requestTimeout: TimeAmount
  private let server: Reachability

  public var reachability: Reachability? { server }

  /// - Parameters:
  ///   - requestTimeout: how long status and headers of an answer may take; bodies and watches are not limited.
  ///   - server: what is told whether the server can be reached.
  /// - Throws: `KubeconfigError` if certificates or keys are no PEM or do not belong together.
  public init(
    _ connection: Kubeconfig.Connection, requestTimeout: Duration = .seconds(60), server: Reachability = Reachability()
  )
    throws(KubeconfigError)
  {
    self.connection = connection
    self.server = server
    self.requestTimeout = TimeAmount(requestTimeout)
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    do {
      if let authority = connection.authority {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
      }
      if connection.skipsVerification { tls.certificateVerification = .none }
      if let certificate = connection.clientCertificate, let key = connection.clientKey {
        tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(certificate).map { .certificate($0) }
        tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
      }
      _ = try NIOSSLContext(configuration: tls)
    } catch {
      throw .malformed(path: connection.origin, reason: "certificate or key cannot be used (\(error))")
    }
    var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
    configuration.timeout = .init(connect: .seconds(10), read: nil)
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .automatic
    // Watches hold a connection each over HTTP/1.1; the limit must not make requests wait for them.
    configuration.connectionPool = .init(idleTimeout: .seconds(90), concurrentHTTP1ConnectionsPerHostSoftLimit: 512)
    configuration.connectionPool.retryConnectionEstablishment = false
    // A machine that is gone says nothing: the kernel asks whether the other end is there.
    configuration.http1_1ConnectionDebugInitializer = ConnectionLife.watch
    configuration.http2ConnectionDebugInitializer = ConnectionLife.watch
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  deinit {
    // The client insists on being shut down; nobody waits for it here.
    client.shutdown { _ in }
  }

  /// Closes all connections; requests under way fail.
  public func shutdown() async {
    try? await client.shutdown()
  }

  public func send(_ request: APIRequest) async throws -> APIResponse {
    var url = connection.server + URLText.encode(path: request.path)
    if !request.query.isEmpty { url += "?" + URLText.encode(query: request.query) }
    var message = HTTPClientRequest(url: url)
    message.method = HTTPMethod(rawValue: request.method.rawValue)
    if let accept = request.accept { message.headers.add(name: "accept", value: accept) }
    if let agent = request.userAgent { message.headers.add(name: "user-agent", value: agent) }
    if let type = request.contentType { message.headers.add(name: "content-type", value: type) }
    if let token = connection.token { message.headers.add(name: "authorization", value: "Bearer \(token)") }
    if let other = request.impersonation {
      message.headers.add(name: "impersonate-user", value: other.user)
      for group in other.groups { message.headers.add(name: "impersonate-group", value: group) }
    }
    if !request.body.isEmpty { message.body = .bytes(ByteBuffer(bytes: request.body)) }
    let response: HTTPClientResponse
    do {
      response = try await client.execute(message, deadline: .now() + requestTimeout)
    } catch {
      if Self.isUnconnected(error) { server.noteAway() }
      throw failure(error)
    }
    server.noteAnswer()
    let headers = response.headers.filter {
      !["content-type", "content-length", "transfer-encoding"].contains($0.name.lowercased())
    }
    return APIResponse(
      status: Int(response.status.code), contentType: response.headers.first(name: "content-type") ?? "",
      headers: headers.map { (name: $0.name, value: $0.value) },
      body: .stream(ByteStream(AnswerBody(body: response.body, failure: failure))))
  }

  /// Nobody took the connection: the request was not sent.
  private static func isUnconnected(_ error: any Error) -> Bool {
    if error is NIOConnectionError { return true }
    if let error = error as? IOError { return [ECONNREFUSED, ENETUNREACH, EHOSTUNREACH].contains(error.errnoCode) }
    guard let error = error as? HTTPClientError else { return false }
    return [.connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout].contains(error)
  }

  /// What happened, at which address, and what to do.
  @Sendable func failure(_ error: any Error) -> any Error {
    if Task.isCancelled { return CancellationError() }
    let place = "the API server at \(connection.server) (\(connection.origin))"
    switch error {
    case let error as HTTPClientError where error == .cancelled:
      // Nobody here gave it up: so the library calls what meets a connection that is closing.
      return APIStatus(.serviceUnavailable, "the connection to \(place) was closing")
    case let error as HTTPClientError
    where [.deadlineExceeded, .readTimeout, .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout]
      .contains(error):
      return APIStatus(.timeout, "\(place) did not answer in time")
    case let error as HTTPClientError where [.invalidURL, .emptyHost, .emptyScheme].contains(error):
      return APIStatus(.badRequest, "\(connection.server) is no valid server address (\(connection.origin))")
    default: break
    }
    let text = "\(error)"
    if text.contains("CERTIFICATE_VERIFY_FAILED") || error is NIOSSLExtraError {
      return APIStatus(
        .serviceUnavailable,
        "\(place) shows a certificate that is not trusted; use the kubeconfig that `nagaya up` wrote")
    }
    if text.lowercased().contains("connection refused") || text.contains("ECONNREFUSED") {
      return APIStatus(.serviceUnavailable, "cannot reach \(place): connection refused; start it with `nagaya up`")
    }
    return APIStatus(.serviceUnavailable, "the connection to \(place) failed: \(text)")
  }
}

/// The chunks of an answer, as bytes; giving up the iteration ends the request.
private struct AnswerBody: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  let body: HTTPClientResponse.Body
  let failure: @Sendable (any Error) -> any Error

  struct AsyncIterator: AsyncIteratorProtocol {
    var chunks: HTTPClientResponse.Body.AsyncIterator
    let failure: @Sendable (any Error) -> any Error

    mutating func next() async throws -> [UInt8]? {
      do { return try await chunks.next().map { Array($0.readableBytesView) } } catch { throw failure(error) }
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: body.makeAsyncIterator(), failure: failure) }
}
