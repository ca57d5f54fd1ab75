import CertificateAuthority
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import KubernetesClient
import Logging
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Synchronization

/// Serves an `APIRequestHandling` over https: HTTP/1.1 and HTTP/2, TLS 1.2 and later, client certificates and bearer tokens.
///
/// `run` serves until graceful shutdown (streams are ended, answers under way are finished) or cancellation.
public final class HTTPSFront: Service {
  /// What a client may take of the server.
  public struct Limits: Sendable {
    /// Bytes of a body; more is answered with 413.
    public var bodyBytes = 3 << 20
    /// How long a body may take to arrive.
    public var bodyTimeout: Duration = .seconds(60)
    /// Bytes read and thrown away after a refusal.
    public var discardedBytes = 32 << 20
    /// Bytes of all header fields together.
    public var headerBytes = 32 << 10
    public var headerFields = 100
    /// Connections at once; more wait to be accepted until others end. Bounds memory (about 60 KB each) and descriptors.
    public var connections = 8192
    public var handshakeTimeout: Duration = .seconds(10)
    /// How long a connection may stay without a request, and a request's head may take to arrive.
    public var idleTimeout: Duration = .seconds(120)
    /// How long a client may leave what it is sent untaken.
    public var stallTimeout: Duration = .seconds(60)
    /// How long a graceful shutdown waits before it cuts connections.
    public var shutdownTimeout: Duration = .seconds(10)

    public init() {}
  }

  /// Why the front cannot serve.
  public enum Failure: Error, Sendable, CustomStringConvertible {
    case cannotListen(host: String, port: Int, reason: String)
    case notRunning

    public var description: String {
      switch self {
      case .cannotListen(let host, let port, let reason):
        "cannot listen on \(host):\(port): \(reason); another server may be running there (see `nagaya status`), "
          + "or choose another port"
      case .notRunning: "the https server has stopped"
      }
    }
  }

  private let host: String
  private let requestedPort: Int
  private let limits: Limits
  private let logger: Logger
  private let server: any Service
  private let bound: BoundPort
  private let drain = FrontDrain()
  private let table = FrontConnectionTable()

  /// - Parameters:
  ///   - port: 0 takes any free one; `port` tells which.
  ///   - certificate: the server's own.
  ///   - authenticator: says who a client is.
  public init(
    host: String = "127.0.0.1", port: Int, certificate: IssuedCertificate, authenticator: Authenticator,
    handler: any APIRequestHandling, limits: Limits = Limits(), logger: Logger
  ) throws {
    self.host = host
    requestedPort = port
    self.limits = limits
    self.logger = logger
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try certificate.certificateChain(), privateKey: try certificate.privateKey())
    tls.minimumTLSVersion = .tlsv12
    tls.applicationProtocols = NIOHTTP2SupportedALPNProtocols
    // A certificate is asked for, not demanded; the callback of each connection takes it.
    tls.certificateVerification = .optionalVerification
    tls.trustRoots = try authenticator.trustRoots()
    tls.sendCANameList = true
    let exchange = FrontExchange(
      handler: handler, authenticator: authenticator, table: table, drain: drain, limits: limits, logger: logger)
    let responder: HTTPChannelHandler.Responder = { try await exchange.respond($0, $1, $2) }
    let stallTimeout = TimeAmount(limits.stallTimeout)
    let requests = HTTP1Channel.Configuration(
      additionalChannelHandlers: [FrontStallHandler(timeout: stallTimeout)],
      idleTimeout: TimeAmount(limits.idleTimeout),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
        maxHeaderFieldCount: limits.headerFields))
    let channel = FrontChannel(
      context: try NIOSSLContext(configuration: tls),
      http1: HTTP1Channel(responder: responder, configuration: requests),
      http2: HTTP2Channel(
        responder: responder,
        configuration: .init(
          idleTimeout: limits.idleTimeout, gracefulCloseTimeout: limits.shutdownTimeout, streamConfiguration: requests)),
      table: table, handshakeTimeout: TimeAmount(limits.handshakeTimeout), stallTimeout: stallTimeout,
      idleTimeout: limits.idleTimeout)
    let bound = BoundPort()
    self.bound = bound
    // Hummingbird reports the address at a level that is ours to choose.
    var serverLogger = logger
    serverLogger.logLevel = max(logger.logLevel, .warning)
    server = channel.server(
      configuration: ServerConfiguration(
        address: .hostname(host, port: port), backlog: 1024,
        availableConnectionsDelegate: .maximum(max(1, limits.connections), logger: serverLogger)),
      onServerRunning: { bound.set($0.localAddress?.port ?? port) },
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: serverLogger)
  }

  /// The port it listens on; waits until it does.
  public var port: Int { get async throws { try await bound.value() } }

  /// Streams that are open (watches, logs, long lists), and connections.
  public var counts: (streams: Int, connections: Int) { (drain.count, table.count) }

  public func run() async throws {
    defer { bound.stop() }
    let (drain, table, timeout) = (drain, table, TimeAmount(limits.shutdownTimeout))
    do {
      try await withGracefulShutdownHandler {
        try await server.run()
      } onGracefulShutdown: {
        drain.begin()
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: timeout) { table.closeAll() }
      }
    } catch let error as IOError {
      throw Failure.cannotListen(host: host, port: requestedPort, reason: error.description)
    }
  }
}

/// A port that is known once the server listens.
private final class BoundPort: Sendable {
  private enum State {
    case waiting([CheckedContinuation<Int, any Error>])
    case known(Int)
    case stopped
  }
  private let state = Mutex(State.waiting([]))

  func set(_ port: Int) { resolve(.known(port), with: .success(port)) }
  func stop() { resolve(.stopped, with: .failure(HTTPSFront.Failure.notRunning)) }

  private func resolve(_ new: State, with result: Result<Int, any Error>) {
    let waiting = state.withLock { state in
      defer { state = new }
      if case .waiting(let continuations) = state { return continuations }
      return []
    }
    for continuation in waiting { continuation.resume(with: result) }
  }

  func value() async throws -> Int {
    try await withCheckedThrowingContinuation { continuation in
      let result: Result<Int, any Error>? = state.withLock { state in
        switch state {
        case .waiting(let continuations):
          state = .waiting(continuations + [continuation])
          return nil
        case .known(let port): return .success(port)
        case .stopped: return .failure(HTTPSFront.Failure.notRunning)
        }
      }
      if let result { continuation.resume(with: result) }
    }
  }
}
