import CertificateAuthority
import HTTP2Connections
import KubernetesAPI
import LinuxSystem
import Locking
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS

/// The listening part of the edge: TLS by server name, HTTP/1.1 and HTTP/2, and a proxy behind.
public final class EdgeServer: Sendable {
  private let configuration: EdgeConfiguration
  private let shared: ProxyContext
  private let certificates: LeafCache
  private let group: MultiThreadedEventLoopGroup
  private let connections: ConnectionSet
  private let pools: [ObjectIdentifier: NIOLoopBound<UpstreamPool>]
  private let listener = Mutex<(any Channel)?>(nil)
  private let logger: Logger

  public init(
    _ configuration: EdgeConfiguration, routes: RoutingTable, certificates: LeafCache,
    group: MultiThreadedEventLoopGroup = .singleton, logger: Logger
  ) async throws {
    self.configuration = configuration
    self.certificates = certificates
    self.group = group
    self.logger = logger
    shared = ProxyContext(configuration: configuration, routes: routes, logger: logger)
    connections = ConnectionSet(
      limit: configuration.limits.connections, limitPerClient: configuration.limits.connectionsPerClient)
    var pools: [ObjectIdentifier: NIOLoopBound<UpstreamPool>] = [:]
    for eventLoop in group.makeIterator() {
      pools[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
        NIOLoopBound(UpstreamPool(eventLoop: eventLoop, limits: configuration.limits), eventLoop: eventLoop)
      }.get()
    }
    self.pools = pools
  }

  /// Listens.
  /// - Returns: the address, with the port that was taken if 0 was asked for.
  @discardableResult
  public func start() async throws -> SocketAddress {
    let context = try NIOSSLContext(configuration: try await tlsConfiguration())
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { [self] channel in serve(channel, context) }
    let channel: any Channel
    if let socket = configuration.socket {
      channel = try await bootstrap.withBoundSocket(socket).get()
      ListeningSocket.deepen(socket)
    } else {
      channel = try await bootstrap.bind(host: configuration.address, port: configuration.port).get()
    }
    listener.withLock { $0 = channel }
    guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
    logger.info("the edge listens", metadata: ["address": "\(address)", "domain": "\(configuration.domain)"])
    return address
  }

  /// Stops listening, lets requests under way end (as long as `Limits.drain` says), closes the rest.
  public func stop() async {
    let listener = listener.withLock { listener in listener.take() }
    try? await listener?.close().get()
    let end = ContinuousClock.now + .nanoseconds(configuration.limits.drain.nanoseconds)
    while shared.routes.inFlight > 0, ContinuousClock.now < end, !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(20))
    }
    await connections.closeAll()
    for (_, pool) in pools {
      try? await pool.eventLoop.submit { pool.value.closeAll() }.get()
    }
  }

  /// Open connections of clients.
  public var connectionCount: Int { connections.count }

  /// The domain's own certificate: others come when they are asked for. Whoever signs may be away for a while.
  private func ownCertificate() async throws -> LeafCache.Leaf {
    var pause = Duration.milliseconds(50)
    while true {
      do {
        guard let leaf = try await certificates.certificate(forHost: configuration.domain) else {
          throw EdgeError.noCertificate(domain: configuration.domain)
        }
        return leaf
      } catch let error as EdgeError { throw error } catch {
        logger.warning("the edge waits for its certificate", metadata: ["error": "\(error)"])
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(2))
      }
    }
  }

  private func tlsConfiguration() async throws -> TLSConfiguration {
    let leaf = try await ownCertificate()
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: leaf.certificateChain, privateKey: leaf.privateKey)
    tls.minimumTLSVersion = .tlsv12
    // Of TLS 1.2 those with authenticated encryption and forward secrecy for the key that our certificates have; those
    // of TLS 1.3 are all so.
    tls.cipherSuiteValues = [
      .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
      .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
    tls.applicationProtocols = ["h2", "http/1.1"]
    tls.sslContextCallback = certificates.contextCallback
    return tls
  }

  /// Sets up a client's connection: TLS, then whichever protocol was agreed on.
  private func serve(_ channel: any Channel, _ context: NIOSSLContext) -> EventLoopFuture<Void> {
    guard let connection = connections.add(channel) else { return channel.close() }
    let handshake = channel.eventLoop.scheduleTask(in: configuration.limits.handshake) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { _ in handshake.cancel() }
    do {
      try channel.pipeline.syncOperations.addHandler(PlainHTTPHandler())
      try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
    } catch { return channel.eventLoop.makeFailedFuture(error) }
    return channel.configureHTTP2SecureUpgrade(
      h2ChannelConfigurator: { [self] channel in
        handshake.cancel()
        return serveHTTP2(channel, connection)
      },
      http1ChannelConfigurator: { [self] channel in
        handshake.cancel()
        return channel.eventLoop.makeCompletedFuture { try serveHTTP1(channel, connection) }
      })
  }

  private func serveHTTP1(_ channel: any Channel, _ client: ClientConnection) throws {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = configuration.limits.headerBytes
    limits.maxHeaderListSize = configuration.limits.headerBytes
    // Framing is decided by `Forwarding`, from what the pod framed; the encoder must not guess.
    var framing = HTTPResponseEncoder.Configuration()
    framing.automaticallySetFramingHeaders = false
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(HTTPResponseEncoder(configuration: framing))
    try pipeline.addHandler(
      ByteToMessageHandler(
        HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)))
    try pipeline.addHandler(try proxy(on: channel, of: client, isHTTP2: false))
  }

  private func serveHTTP2(_ channel: any Channel, _ client: ClientConnection) -> EventLoopFuture<Void> {
    var connection = NIOHTTP2Handler.ConnectionConfiguration()
    connection.targetWindowSize = 1 << 20
    // Of malformed requests and the like in a connection's whole life, after which it is closed; `FramePace` bounds how many come at
    // once. By default 200: a proxy in front would lose a connection for its clients' mistakes of some days.
    connection.maximumConnectionGlitches = 10_000
    connection.initialSettings.append(
      HTTP2Setting(parameter: .maxHeaderListSize, value: configuration.limits.headerBytes))
    var stream = NIOHTTP2Handler.StreamConfiguration()
    stream.targetWindowSize = 256 << 10
    // curl resets each stream once it has its answer. By default 200 resets in 30 s end a connection, which would be
    // 7 requests a second. What a flood of resets can start is bounded by `Limits.requestsPerApp` as well.
    stream.streamResetFrameRateLimit.maximumCount = 1000
    stream.streamResetFrameRateLimit.windowLength = .seconds(1)
    stream.outboundBufferSizeHighWatermark = 64 << 10
    stream.outboundBufferSizeLowWatermark = 32 << 10
    do {
      try channel.pipeline.syncOperations.addHandler(
        FramePace(framesPerSecond: configuration.limits.framesPerSecond))
      try channel.pipeline.syncOperations.addHandler(EarlySettings())
      try channel.pipeline.syncOperations.addHandler(IdleStateHandler(allTimeout: configuration.limits.silence))
    } catch { return channel.eventLoop.makeFailedFuture(error) }
    return channel.configureHTTP2Pipeline(
      mode: .server, connectionConfiguration: connection, streamConfiguration: stream
    ) { [self] stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.pipeline.syncOperations.addHandler(AuthorityHandler())
        try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
        try stream.pipeline.syncOperations.addHandler(try proxy(on: stream, of: client, isHTTP2: true))
      }
    }.flatMapThrowing { [self] _ in
      try channel.pipeline.syncOperations.addHandler(
        HTTP2ConnectionHandler(connection: client, keepAlive: configuration.limits.keepAlive, logger: logger))
    }
  }

  private func proxy(on channel: any Channel, of client: ClientConnection, isHTTP2: Bool) throws -> ProxyHandler {
    guard let pool = pools[ObjectIdentifier(channel.eventLoop)] else { throw EdgeError.foreignEventLoop }
    return ProxyHandler(shared: shared, pool: pool.value, connection: client, isHTTP2: isHTTP2)
  }
}

/// Why the edge does not start.
public enum EdgeError: Error, CustomStringConvertible, Hashable {
  /// The certificate cache serves another domain.
  case noCertificate(domain: String)
  /// A channel runs on a loop that is not of the edge's group.
  case foreignEventLoop

  public var description: String {
    switch self {
    case .noCertificate(let domain):
      "no certificate for \(domain): the edge and its certificates must be set up for the same domain"
    case .foreignEventLoop: "a connection runs on an event loop outside of the edge's group"
    }
  }
}
