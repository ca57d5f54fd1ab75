import NIOCore
import NIOHTTP1
import NIOPosix

/// A connection to a pod that is being opened, and who waits for it. Used on its event loop only.
final class UpstreamOpening {
  let endpoint: Endpoint
  fileprivate var waiter: ((Result<UpstreamHandler, any Error>) -> Void)?
  fileprivate var channel: (any Channel)?
  /// It was begun for a request that left.
  fileprivate var isTakenOver = false

  fileprivate init(_ endpoint: Endpoint, waiter: @escaping (Result<UpstreamHandler, any Error>) -> Void) {
    self.endpoint = endpoint
    self.waiter = waiter
  }
}

/// The connections of one event loop to pods that wait for their next request, or are being opened. Used on that
/// loop only.
final class UpstreamPool {
  private let eventLoop: any EventLoop
  private let limits: EdgeConfiguration.Limits
  /// The one used last comes first: the others may time out.
  private var idle: [Endpoint: [Idle]] = [:]

  /// Those that are being opened and that nobody waits for any more.
  private var unclaimed: [Endpoint: [UpstreamOpening]] = [:]
  private var isClosed = false

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
    guard !isClosed, connection.isActive, (idle[endpoint]?.count ?? 0) < limits.upstreamIdleConnections else {
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

  /// Closes what nobody uses, now and from now on.
  func closeAll() {
    isClosed = true
    for opening in unclaimed.values.joined() { opening.channel?.close(promise: nil) }
    for entry in idle.values.joined() {
      entry.timeout.cancel()
      entry.connection.onIdleClose = nil
      entry.connection.close()
    }
    idle = [:]
  }

  /// Opens a new connection, or takes over one that is being opened for a request that is gone.
  /// - Parameter whenDone: called once, later, unless the opening is left before.
  func connect(
    _ endpoint: Endpoint, _ whenDone: @escaping (Result<UpstreamHandler, any Error>) -> Void
  ) -> UpstreamOpening {
    if let opening = unclaimed[endpoint]?.popLast() {
      if unclaimed[endpoint]?.isEmpty == true { unclaimed[endpoint] = nil }
      opening.waiter = whenDone
      opening.isTakenOver = true
      return opening
    }
    let opening = UpstreamOpening(endpoint, waiter: whenDone)
    begin(opening)
    return opening
  }

  /// The request that waited is gone. The connection is kept for the next one, or closed: however many requests come
  /// and go, no more connections are opened at once than requests were under way at once, and a few.
  func leave(_ opening: UpstreamOpening) {
    guard opening.waiter != nil else { return }
    opening.waiter = nil
    guard !isClosed, (unclaimed[opening.endpoint]?.count ?? 0) < limits.upstreamIdleConnections else {
      opening.channel?.close(promise: nil)
      return
    }
    unclaimed[opening.endpoint, default: []].append(opening)
  }

  private func begin(_ opening: UpstreamOpening) {
    var hasBegun = false
    open(opening).whenComplete { result in
      guard hasBegun else {
        // Whoever waits does not have the opening yet.
        return self.eventLoop.assumeIsolated().execute { self.end(opening, result) }
      }
      self.end(opening, result)
    }
    hasBegun = true
  }

  private func end(_ opening: UpstreamOpening, _ result: Result<UpstreamHandler, any Error>) {
    guard let waiter = opening.waiter.take() else {
      unclaimed[opening.endpoint]?.removeAll { $0 === opening }
      if unclaimed[opening.endpoint]?.isEmpty == true { unclaimed[opening.endpoint] = nil }
      if case .success(let connection) = result { put(connection) }
      return
    }
    switch result {
    case .success(let connection) where connection.isActive: waiter(result)
    case .failure where opening.isTakenOver:
      // It had less time than it should.
      opening.waiter = waiter
      opening.isTakenOver = false
      begin(opening)
    case .success: waiter(.failure(ChannelError.ioOnClosedChannel))
    case .failure: waiter(result)
    }
  }

  private func open(_ opening: UpstreamOpening) -> EventLoopFuture<UpstreamHandler>.Isolated {
    let endpoint = opening.endpoint
    let bound = NIOLoopBound(opening, eventLoop: eventLoop)
    let bootstrap = ClientBootstrap(group: eventLoop)
      .connectTimeout(limits.connect)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          bound.value.channel = channel
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
