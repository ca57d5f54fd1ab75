import NIOCore
import NIOHTTP1
import NIOPosix

/// The connections of one event loop to pods that wait for their next request. Used on that loop only.
final class UpstreamPool {
  private let eventLoop: any EventLoop
  private let limits: EdgeConfiguration.Limits
  /// The one used last comes first: the others may time out.
  private var idle: [Endpoint: [Idle]] = [:]

  private struct Idle {
    let connection: UpstreamHandler
    let timeout: Scheduled<Void>
  }

  init(eventLoop: any EventLoop, limits: EdgeConfiguration.Limits) {
    self.eventLoop = eventLoop
    self.limits = limits
  }

  /// A kept connection, if there is one.
  func take(_ endpoint: Endpoint) -> UpstreamHandler? {
    while let last = idle[endpoint]?.popLast() {
      if idle[endpoint]?.isEmpty == true { idle[endpoint] = nil }
      last.timeout.cancel()
      last.connection.onIdleClose = nil
      if last.connection.isActive { return last.connection }
    }
    return nil
  }

  /// Keeps a connection whose last answer is complete.
  func put(_ connection: UpstreamHandler) {
    let endpoint = connection.endpoint
    guard connection.isActive, (idle[endpoint]?.count ?? 0) < limits.upstreamIdleConnections else {
      return connection.close()
    }
    connection.delegate = nil
    let timeout = eventLoop.assumeIsolated().scheduleTask(in: limits.upstreamKeepAlive) { connection.close() }
    connection.onIdleClose = { [weak self] in self?.drop(connection) }
    idle[endpoint, default: []].append(Idle(connection: connection, timeout: timeout))
    connection.resumeReading()
  }

  private func drop(_ connection: UpstreamHandler) {
    let endpoint = connection.endpoint
    idle[endpoint]?.removeAll { entry in
      guard entry.connection === connection else { return false }
      entry.timeout.cancel()
      return true
    }
    if idle[endpoint]?.isEmpty == true { idle[endpoint] = nil }
  }

  func closeAll() {
    for entry in idle.values.joined() {
      entry.timeout.cancel()
      entry.connection.onIdleClose = nil
      entry.connection.close()
    }
    idle = [:]
  }

  /// Opens a new connection.
  func connect(_ endpoint: Endpoint) -> EventLoopFuture<UpstreamHandler>.Isolated {
    let bootstrap = ClientBootstrap(group: eventLoop)
      .connectTimeout(limits.connect)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          // Framing is decided by `Forwarding`, from what the client framed; the encoder must not guess.
          var configuration = HTTPRequestEncoder.Configuration()
          configuration.automaticallySetFramingHeaders = false
          try pipeline.addHandler(HTTPRequestEncoder(configuration: configuration))
          try pipeline.addHandler(
            ByteToMessageHandler(
              HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .forward)))
          try pipeline.addHandler(UpstreamHandler(endpoint: endpoint))
        }
      }
    let address: SocketAddress
    do { address = try SocketAddress(ipAddress: endpoint.address, port: endpoint.port) } catch {
      return eventLoop.makeFailedFuture(error).assumeIsolated()
    }
    return bootstrap.connect(to: address).assumeIsolated().flatMapThrowing { channel in
      try channel.pipeline.syncOperations.handler(type: UpstreamHandler.self)
    }
  }
}
