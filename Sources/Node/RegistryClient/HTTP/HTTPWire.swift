import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// One request to one address: no retries, no redirects, no credentials but those in its headers.
struct HTTPWire: Sendable {
  struct Request: Sendable {
    var method = HTTPMethod.GET
    var address: HTTPAddress
    var headers = HTTPHeaders()
    var body: [UInt8] = []
    /// What to trust and how to show oneself; the system's authorities if nil.
    var tls: TLSConfiguration?
  }

  struct Answer {
    var status: Int
    var headers: HTTPHeaders
    var body: HTTPClientResponse.Body

    /// The body, if it has at most `limit` bytes; `nil` if it has more.
    func collect(limit: Int) async throws -> [UInt8]? {
      var bytes: [UInt8] = []
      do {
        for try await piece in body {
          guard bytes.count + piece.readableBytes <= limit else { return nil }
          bytes.append(contentsOf: piece.readableBytesView)
        }
      } catch { throw HTTPWire.failure(error) }
      return bytes
    }

    /// Reads what is left of a small body, so that the connection can be used again.
    func drain() async { _ = try? await collect(limit: AnswerLimit.refusal) }
  }

  /// Why there was no answer, or not all of it.
  enum Failure: Error {
    case connection(String)
    case timeout(String)
    case dns(String)
    case tls(String)
    case malformed(String)
  }

  private let client: HTTPClient
  private let answerTimeout: TimeAmount

  init(_ configuration: RegistryConfiguration) {
    var http = HTTPClient.Configuration()
    http.timeout = .init(
      connect: TimeAmount(configuration.connectTimeout), read: TimeAmount(configuration.idleTimeout))
    http.redirectConfiguration = .disallow
    http.decompression = .disabled
    // Blobs are moved by several connections: one that carries all streams has one congestion window for all of them.
    http.httpVersion = .http1Only
    http.connectionPool = .init(
      idleTimeout: .seconds(60), concurrentHTTP1ConnectionsPerHostSoftLimit: configuration.requestsPerHost)
    http.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
    answerTimeout = TimeAmount(configuration.answerTimeout)
  }

  func shutdown() async { try? await client.shutdown() }

  /// Closes the connections some time; for those who can't wait.
  func shutdownLater() { client.shutdown { _ in } }

  /// - Throws: `Failure`, `CancellationError`.
  func send(_ request: Request) async throws -> Answer {
    var message = HTTPClientRequest(url: request.address.url)
    message.method = request.method
    message.headers = request.headers
    message.headers.replaceOrAdd(name: "user-agent", value: "nagaya")
    message.tlsConfiguration = request.address.isEncrypted ? request.tls : nil
    if !request.body.isEmpty { message.body = .bytes(ByteBuffer(bytes: request.body)) }
    do {
      let response = try await client.execute(message, deadline: .now() + answerTimeout)
      return Answer(status: Int(response.status.code), headers: response.headers, body: response.body)
    } catch {
      throw Self.failure(error)
    }
  }

  /// What an error of the HTTP library means.
  static func failure(_ error: any Error) -> any Error {
    if Task.isCancelled { return CancellationError() }
    switch error {
    case let error as HTTPClientError:
      switch error {
      // Nobody here gave it up: so the library calls what meets a connection that is closing.
      case .cancelled: return Failure.connection("the connection was closing")
      case .readTimeout: return Failure.timeout("no bytes came for too long")
      case .connectTimeout: return Failure.timeout("no connection could be made in time")
      case .tlsHandshakeTimeout: return Failure.timeout("the encrypted connection was not made in time")
      case .deadlineExceeded, .getConnectionFromPoolTimeout: return Failure.timeout("no answer in time")
      case .remoteConnectionClosed: return Failure.connection("the connection was closed before the answer was whole")
      case .invalidURL, .emptyHost, .emptyScheme: return Failure.malformed("the address is not valid")
      default: return Failure.connection(error.shortDescription)
      }
    case let error as NIOConnectionError where error.dnsAError != nil || error.dnsAAAAError != nil:
      // With an address literal there is no look-up that could fail; with a name, both must have failed.
      return error.connectionErrors.isEmpty
        ? Failure.dns("the name \(error.host) is unknown")
        : Failure.connection("connecting failed: \(words(error.connectionErrors.first?.error))")
    case let error as NIOConnectionError:
      return Failure.connection("connecting failed: \(words(error.connectionErrors.first?.error))")
    case is NIOSSLExtraError: return Failure.tls("the certificate is not for this host")
    case let error as NIOSSLError:
      switch error {
      case .uncleanShutdown: return Failure.connection("the encrypted connection was cut off")
      default: return Failure.tls(words(error))
      }
    case let error as HTTPParserError where error == .invalidEOFState:
      return Failure.connection("the connection was closed before the answer was whole")
    case is HTTPParserError: return Failure.malformed("the answer is no HTTP")
    default: return Failure.connection(words(error))
    }
  }

  private static func words(_ error: (any Error)?) -> String {
    let text = error.map { "\($0)" } ?? "no reason was given"
    if text.contains("CERTIFICATE_VERIFY_FAILED") { return "the certificate is not trusted" }
    if text.contains("ECONNREFUSED") || text.lowercased().contains("connection refused") { return "connection refused" }
    return String(text.prefix(200))
  }
}

extension TimeAmount {
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}
