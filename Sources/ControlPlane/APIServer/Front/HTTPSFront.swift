import CertificateAuthority
import Hummingbird
import HummingbirdCore
import KubernetesClient
import Locking
import Logging
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
import ServiceLifecycle

/// Serves an `APIRequestHandling` over https: HTTP/1.1 and HTTP/2, TLS 1.2 and later, client certificates and bearer tokens.
///
/// `run` serves until graceful shutdown (streams are ended, answers under way are finished) or cancellation.
public final class HTTPSFront: Service {
  /// What a client may take of the server.
  public struct Limits: Sendable {
    /// Bytes of a body; more is answered with 413.
    public var bodyBytes = 3 << 20
    /// Bytes of bodies that are held at once, of one user and in all; more is answered with 429.
    public var bodyBytesPerUser = 48 << 20
    public var bodyBytesInAll = 256 << 20
    /// How long a body may take to arrive.
    public var bodyTimeout: Duration = .seconds(60)
    /// Bytes read and thrown away after a refusal.
    public var discardedBytes = 32 << 20
    /// Bytes of path and query; more is answered with 414.
    public var targetBytes = 64 << 10
    /// Bytes of all header fields together, the target among them; more is answered with 431.
    public var headerBytes = 96 << 10
    public var headerFields = 100
    /// Bytes of header fields that are read at all, so that there can be an answer; more ends the connection.
    public var readHeaderBytes = 160 << 10
    /// Requests at once on one HTTP/2 connection; clients are told, and open another connection.
    public var streamsPerConnection = 100
    /// Frames that are read from one HTTP/2 connection; a client that sends more waits.
    public var framesPerSecond = 50_000
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
  private let server: FrontListener
  private let bound: BoundPort
  private let drain = FrontDrain()
  private let table: FrontConnectionTable
  private let tls: FrontTLS

  /// - Parameters:
  ///   - port: 0 takes any free one; `port` tells which.
  ///   - socket: a socket that listens, which is used instead of `host` and `port`, and closed at the end.
  ///   - certificate: the server's own.
  ///   - authenticator: says who a client is.
  ///   - audit: is told who asked for what.
  ///   - publicPaths: what anybody may ask for, besides what tells that the server is there.
  public init(
    host: String = "127.0.0.1", port: Int, socket: Int32? = nil, certificate: IssuedCertificate,
    authenticator: Authenticator,
    handler: any APIRequestHandling, audit: AuditLog? = nil, publicPaths: Set<String> = [],
    limits: Limits = Limits(), logger: Logger
  ) throws {
    self.host = host
    requestedPort = port
    self.limits = limits
    self.logger = logger
    let table = FrontConnectionTable(limit: max(1, limits.connections))
    self.table = table
    let tls = try FrontTLS(certificate, authenticator)
    self.tls = tls
    let exchange = FrontExchange(
      handler: handler, authenticator: authenticator, table: table, drain: drain, limits: limits, audit: audit,
      publicPaths: publicPaths, bodies: FrontBodyBudget(perUser: limits.bodyBytesPerUser, inAll: limits.bodyBytesInAll),
      logger: logger)
    let responder: HTTPChannelHandler.Responder = { request, writer, channel in
      try await exchange.respond(request.head, FrontBody(body: request.body.makeAsyncIterator()), writer, channel)
    }
    let requests = HTTP1Channel.Configuration(
      additionalChannelHandlers: [
        FrontStallHandler(timeout: TimeAmount(limits.stallTimeout)), FrontParserErrorHandler(),
      ],
      idleTimeout: TimeAmount(limits.idleTimeout),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: limits.readHeaderBytes, maxHeaderListSize: limits.readHeaderBytes,
        maxHeaderFieldCount: limits.headerFields * 2))
    let channel = FrontChannel(
      context: { tls.context }, exchange: exchange,
      http1: HTTP1Channel(responder: responder, configuration: requests), table: table, limits: limits)
    let bound = BoundPort()
    self.bound = bound
    // Hummingbird tells of each connection.
    var serverLogger = logger
    serverLogger.logLevel = max(logger.logLevel, .warning)
    server = FrontListener(
      place: socket.map { FrontListener.Place.socket($0) } ?? .address(host: host, port: port), channel: channel,
      table: table,
      limit: max(1, limits.connections), logger: serverLogger,
      isListening: { bound.set($0.localAddress?.port ?? port) })
  }

  /// The port it listens on; waits until it does.
  public var port: Int { get async throws { try await bound.value() } }

  /// Streams that are open (watches, logs, long lists), and connections.
  public var counts: (streams: Int, connections: Int) { (drain.count, table.count) }

  /// Serves with another certificate from the next connection on.
  public func use(_ certificate: IssuedCertificate) throws { try tls.use(certificate) }

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
      await table.end()
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
