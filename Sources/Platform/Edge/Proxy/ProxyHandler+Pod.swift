import NIOCore
import NIOHTTP1

/// The connection to the pod that answers: opened or taken up again, watched, and turned to another pod if it fails.
extension ProxyHandler {
  func connect(_ exchange: Exchange, mayReuse: Bool) {
    exchange.tried.insert(exchange.endpoint)
    if mayReuse, let kept = pool.take(exchange.endpoint) {
      exchange.isReused = true
      return attach(kept, to: exchange)
    }
    exchange.isReused = false
    exchange.opening = pool.connect(exchange.endpoint) { result in
      exchange.opening = nil
      switch result {
      case .success(let connection): self.attach(connection, to: exchange)
      case .failure:
        if exchange.tried.count < 2, self.moveOn(exchange) {
          self.connect(exchange, mayReuse: mayReuse)
        } else {
          self.fail(exchange, .unreachable(exchange.app, "does not take connections"))
        }
      }
    }
  }

  /// Turns to another pod, if there is one.
  private func moveOn(_ exchange: Exchange) -> Bool { exchange.slot.move(except: exchange.tried) }

  private func attach(_ connection: UpstreamHandler, to exchange: Exchange) {
    exchange.upstream = connection
    connection.delegate = self
    state = .exchanging(exchange)
    exchange.lastBytes = .now()
    connection.send(
      .head(
        Forwarding.request(
          exchange.head, framing: exchange.framing, upgrade: exchange.upgrade, host: exchange.host,
          clientAddress: clientAddress)))
    process()
    connection.flush()
  }

  /// Ends exchanges that hang: no answer, or no bytes under way.
  func watch(_ exchange: Exchange) {
    let limit = exchange.responseHead == nil && exchange.requestEnded ? limits.response : limits.silence
    // Looks at least as often as the shorter limit, since which one counts changes under way.
    let due = min(exchange.lastBytes + limit - .now(), limits.response)
    exchange.watchdog = context?.eventLoop.assumeIsolated().scheduleTask(in: max(due, .milliseconds(1))) {
      [weak self] in
      guard let self else { return }
      let awaitsAnswer = exchange.responseHead == nil && exchange.requestEnded
      let limit = awaitsAnswer ? self.limits.response : self.limits.silence
      guard exchange.lastBytes + limit <= .now() else { return self.watch(exchange) }
      self.fail(exchange, .timedOut(exchange.app, seconds: limit.nanoseconds / 1_000_000_000))
    }
  }
}

/// What the pod says.
extension ProxyHandler: UpstreamDelegate {
  var wantsUpstreamBytes: Bool { context?.channel.isWritable ?? false }

  func upstreamBecameWritable(_ upstream: UpstreamHandler) { resumeReading() }

  func upstreamFlushed(_ upstream: UpstreamHandler) { context?.flush() }

  func upstreamReceived(_ part: HTTPClientResponsePart, from upstream: UpstreamHandler) {
    guard let context, case .exchanging(let exchange) = state, exchange.upstream === upstream else { return }
    exchange.lastBytes = .now()
    switch part {
    case .head(let head) where head.status == .switchingProtocols:
      exchange.responseHead = limited(head, exchange)
    case .head(let head) where head.status.code < 200:
      guard exchange.head.version != .http1_0 else { return }
      let answer = Forwarding.response(
        limited(head, exchange), to: exchange.head, isHTTP2: isHTTP2, keepsAlive: true)
      context.writeAndFlush(wrapOutboundOut(.head(answer)), promise: nil)
    case .head(let head):
      exchange.responseHead = head
      exchange.keepsUpstream = head.isKeepAlive && exchange.upgrade == nil
      let answer = Forwarding.response(
        limited(head, exchange), to: exchange.head, isHTTP2: isHTTP2, keepsAlive: exchange.keepsClient)
      context.write(wrapOutboundOut(.head(answer)), promise: nil)
    case .body(let bytes):
      exchange.sent += bytes.readableBytes
      context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    case .end(let trailers):
      guard let head = exchange.responseHead else { return }
      if head.status == .switchingProtocols { return switchProtocols(exchange, head) }
      release(exchange, status: Int(head.status.code), reusable: exchange.keepsUpstream && exchange.requestEnded)
      endAnswer(
        trailers: CookieScope.limit(trailers: trailers), keepsClient: exchange.keepsClient,
        requestEnded: exchange.requestEnded)
    }
  }

  /// The head with what its app may tell browsers.
  private func limited(_ head: HTTPResponseHead, _ exchange: Exchange) -> HTTPResponseHead {
    var head = head
    CookieScope.limit(
      &head.headers, to: exchange.site,
      isOwnSite: EdgeConfiguration.tenantsAreSites(below: shared.configuration.domain))
    return head
  }

  func upstreamClosed(_ upstream: UpstreamHandler, error: (any Error)?) {
    guard case .exchanging(let exchange) = state, exchange.upstream === upstream else { return }
    exchange.upstream = nil
    upstream.delegate = nil
    if exchange.isReused, exchange.maySendAgain {
      // The pod closed the kept connection while the request was on its way.
      if !shared.routes.readyEndpoints(of: exchange.app).contains(exchange.endpoint) { _ = moveOn(exchange) }
      if exchange.requestEnded {
        exchange.requestEnded = false
        parts.prepend(.end(nil))
      }
      state = .connecting(exchange)
      return connect(exchange, mayReuse: false)
    }
    let why =
      error is HTTPParserError
      ? "gave an answer that is no valid HTTP" : "closed the connection before its answer was complete"
    fail(exchange, .unreachable(exchange.app, why))
  }
}
