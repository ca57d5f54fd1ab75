import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1

/// What all connections of the edge share.
struct ProxyContext: Sendable {
  let configuration: EdgeConfiguration
  let routes: RoutingTable
  let logger: Logger
}

/// Serves a client: the last handler of an HTTP/1.1 connection or of an HTTP/2 stream.
///
/// Bodies pass part by part. The client is read only while the pod takes bytes, and the pod only while the client does:
/// `read` is held back otherwise, so that memory per request is bounded by what one read brings.
final class ProxyHandler: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    /// Waits for a request.
    case idle
    /// The pod's connection is being opened.
    case connecting(Exchange)
    case exchanging(Exchange)
    /// The answer is given, the rest of the request is dropped, up to so many bytes.
    case discarding(left: Int, keepsClient: Bool)
    /// The protocol was switched, or the connection is over.
    case done
  }

  private let shared: ProxyContext
  private let pool: UpstreamPool
  private let isHTTP2: Bool
  private var context: ChannelHandlerContext?
  private var state = State.idle
  private var parts = CircularBuffer<HTTPServerRequestPart>()
  private var isReadHeld = false
  private var isProcessing = false
  private var idleTimer: Scheduled<Void>?
  private var clientAddress = ""

  init(shared: ProxyContext, pool: UpstreamPool, isHTTP2: Bool) {
    self.shared = shared
    self.pool = pool
    self.isHTTP2 = isHTTP2
  }

  private var limits: EdgeConfiguration.Limits { shared.configuration.limits }

  // MARK: The client's connection

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    let channel = isHTTP2 ? (context.channel.parent ?? context.channel) : context.channel
    clientAddress = channel.remoteAddress?.ipAddress ?? "unknown"
    startIdleTimer(limits.firstRequest)
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func read(context: ChannelHandlerContext) {
    if wantsClientBytes { context.read() } else { isReadHeld = true }
  }

  private var wantsClientBytes: Bool {
    switch state {
    case .idle: parts.isEmpty
    case .connecting: false
    case .exchanging(let exchange): !exchange.requestEnded && (exchange.upstream?.isWritable ?? false)
    case .discarding: true
    case .done: true
    }
  }

  private func resumeReading() {
    guard isReadHeld, wantsClientBytes else { return }
    isReadHeld = false
    context?.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { parts.append(unwrapInboundIn(data)) }

  func channelReadComplete(context: ChannelHandlerContext) {
    process()
    context.fireChannelReadComplete()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable, case .exchanging(let exchange) = state { exchange.upstream?.resumeReading() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    idleTimer?.cancel()
    switch state {
    case .connecting(let exchange), .exchanging(let exchange): abandon(exchange)
    case .idle, .discarding, .done: break
    }
    state = .done
    parts.removeAll()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case .idle = state, let error = error as? HTTPParserError, !isHTTP2 {
      let page: ErrorPage
      switch error {
      case .headerOverflow: page = .refused(status: 431, "its header fields are too large")
      case .invalidVersion: page = .refused(status: 505, "its version is not HTTP/1.1")
      default: page = .refused(status: 400, "it is malformed")
      }
      answer(page, to: nil, keepsClient: false)
    } else {
      context.close(promise: nil)
    }
  }

  private func startIdleTimer(_ limit: TimeAmount) {
    idleTimer?.cancel()
    idleTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
      guard let self else { return }
      switch self.state {
      case .idle, .discarding: self.context?.close(promise: nil)
      case .connecting, .exchanging, .done: break
      }
    }
  }

  // MARK: Parts of requests

  private func process() {
    guard !isProcessing else { return }
    isProcessing = true
    var wrote = false
    loop: while let part = parts.first {
      switch (state, part) {
      case (.idle, .head(let head)):
        parts.removeFirst()
        begin(head)
      case (.idle, _):
        parts.removeFirst()  // the rest of a request that was answered early
      case (.exchanging(let exchange), .body(let bytes)) where !exchange.requestEnded:
        parts.removeFirst()
        exchange.hasSentBody = true
        exchange.received += bytes.readableBytes
        exchange.lastBytes = .now()
        exchange.upstream?.send(.body(.byteBuffer(bytes)))
        wrote = true
      case (.exchanging(let exchange), .end(let trailers)) where !exchange.requestEnded:
        parts.removeFirst()
        exchange.requestEnded = true
        exchange.lastBytes = .now()
        exchange.upstream?.send(.end(exchange.framing == .chunked ? trailers : nil))
        wrote = true
      case (.discarding(let left, let keepsClient), .body(let bytes)):
        parts.removeFirst()
        guard bytes.readableBytes <= left else {
          state = .done
          context?.close(promise: nil)
          break loop
        }
        state = .discarding(left: left - bytes.readableBytes, keepsClient: keepsClient)
      case (.discarding(_, let keepsClient), .end):
        parts.removeFirst()
        becomeIdle(keepsClient: keepsClient)
      case (.done, _):
        parts.removeAll()
      default:
        break loop  // the next request waits for this one
      }
    }
    isProcessing = false
    if wrote, case .exchanging(let exchange) = state { exchange.upstream?.flush() }
    resumeReading()
  }

  /// Checks a request, finds its app and takes it on.
  private func begin(_ head: HTTPRequestHead) {
    idleTimer?.cancel()
    var keepsClient = isHTTP2 || (head.isKeepAlive && head.version == .http1_1)
    // After such a head the decoder takes everything that follows for the other protocol's bytes.
    if !isHTTP2, head.headers.contains(name: "upgrade") { keepsClient = false }
    func refuse(_ status: Int, _ why: String) {
      answer(.refused(status: status, why), to: head, keepsClient: isHTTP2)
    }
    guard Forwarding.bytes(of: head.headers) + head.uri.utf8.count <= limits.headerBytes else {
      return refuse(431, "its header fields are larger than \(limits.headerBytes) bytes")
    }
    guard head.method != .CONNECT else { return refuse(405, "the edge is no forward proxy") }
    let hosts = head.headers["host"]
    let authority = Forwarding.absoluteForm(head.uri)?.authority ?? hosts.first
    guard hosts.count <= 1, let authority, let host = HostName.normalized(authority) else {
      return refuse(400, "it needs exactly one valid Host")
    }
    guard head.uri.hasPrefix("/") || head.uri == "*" || Forwarding.absoluteForm(head.uri) != nil else {
      return refuse(400, "its target is no path")
    }
    let framing: Forwarding.RequestFraming
    do throws(Forwarding.Refusal) {
      var hasBody = true
      if case .end = parts.first { hasBody = false }
      framing = try Forwarding.framing(of: head, isHTTP2: isHTTP2, hasBody: hasBody)
    } catch { return refuse(Int(error.status.code), "it has \(error.why)") }

    guard let app = HostName.app(of: host, domain: shared.configuration.domain) else {
      return answer(.unknownHost(host), to: head, keepsClient: keepsClient)
    }
    switch shared.routes.admit(app, limit: limits.requestsPerApp) {
    case .unknown: answer(.unknownHost(host), to: head, keepsClient: keepsClient)
    case .notReady(let reason, let message):
      shared.routes.refused(app, status: 503)
      answer(.notReady(app, reason: reason, message: message), to: head, keepsClient: keepsClient)
    case .overloaded:
      shared.routes.refused(app, status: 503)
      answer(.overloaded(app), to: head, keepsClient: keepsClient)
    case .admitted(let endpoint):
      let upgrade = isHTTP2 ? nil : Forwarding.upgrade(of: head).flatMap { $0.lowercased() == "h2c" ? nil : $0 }
      let exchange = Exchange(
        app: app, host: authority, head: head, framing: framing, upgrade: upgrade, endpoint: endpoint,
        keepsClient: keepsClient)
      state = .connecting(exchange)
      watch(exchange)
      connect(exchange, mayReuse: upgrade == nil)
    }
  }

  // MARK: The pod's connection

  private func connect(_ exchange: Exchange, mayReuse: Bool) {
    exchange.tried.insert(exchange.endpoint)
    if mayReuse, let kept = pool.take(exchange.endpoint) {
      exchange.isReused = true
      return attach(kept, to: exchange)
    }
    exchange.isReused = false
    pool.connect(exchange.endpoint).whenComplete { result in
      guard case .connecting(let current) = self.state, current === exchange else {
        // The client left in the meantime.
        if case .success(let connection) = result { self.pool.put(connection) }
        return
      }
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
  private func moveOn(_ exchange: Exchange) -> Bool {
    guard let next = shared.routes.move(exchange.app, from: exchange.endpoint, except: exchange.tried) else {
      return false
    }
    exchange.endpoint = next
    return true
  }

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
    if isProcessing {
      // `process` goes on with the parts that are here, and flushes.
      context?.eventLoop.assumeIsolated().execute { connection.flush() }
    } else {
      process()
      connection.flush()
    }
  }

  /// Ends exchanges that hang: no answer, or no bytes under way.
  private func watch(_ exchange: Exchange) {
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

  // MARK: Ends of exchanges

  /// Gives up an exchange with a page, or, if the answer has begun, by ending the client's connection: only that tells
  /// it that the answer is not whole.
  private func fail(_ exchange: Exchange, _ page: ErrorPage) {
    let hasBegun = exchange.responseHead != nil
    release(exchange, status: page.status, reusable: false)
    if hasBegun {
      state = .done
      context?.close(promise: nil)
      return
    }
    // A client that waits for `100 Continue` may or may not send its body: only closing is unambiguous.
    let keeps = exchange.keepsClient && !exchange.head.headers.contains(name: "expect")
    answer(page, to: exchange.head, keepsClient: keeps, requestEnded: exchange.requestEnded)
  }

  /// The client is gone.
  private func abandon(_ exchange: Exchange) {
    release(exchange, status: exchange.responseHead.map { Int($0.status.code) } ?? 0, reusable: false)
  }

  /// Ends an exchange, once. What follows may close the client's connection on the spot, and that must not find it.
  private func release(_ exchange: Exchange, status: Int, reusable: Bool) {
    state = .done
    exchange.watchdog?.cancel()
    if let upstream = exchange.upstream {
      exchange.upstream = nil
      upstream.delegate = nil
      if reusable { pool.put(upstream) } else { upstream.close() }
    }
    shared.routes.finish(
      exchange.app, at: exchange.endpoint, status: status, received: exchange.received, sent: exchange.sent)
    shared.logger.debug(
      "request",
      metadata: [
        "client": "\(clientAddress)", "method": "\(exchange.head.method.rawValue)", "host": "\(exchange.host)",
        "path": "\(exchange.head.uri.prefix(256))", "status": "\(status)", "pod": "\(exchange.endpoint)",
        "received": "\(exchange.received)", "sent": "\(exchange.sent)",
        "ms": "\((NIODeadline.now() - exchange.began).nanoseconds / 1_000_000)",
      ])
  }

  /// Answers by itself.
  private func answer(
    _ page: ErrorPage, to request: HTTPRequestHead?, keepsClient: Bool, requestEnded: Bool = false
  ) {
    guard let context else { return }
    let (contentType, text) = page.rendered(accept: request?.headers["accept"].joined(separator: ","))
    var headers: HTTPHeaders = [
      "content-type": contentType, "content-length": String(text.utf8.count), "cache-control": "no-store",
    ]
    if let seconds = page.retryAfterSeconds { headers.add(name: "retry-after", value: String(seconds)) }
    if !isHTTP2, !keepsClient { headers.add(name: "connection", value: "close") }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: page.status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request?.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }
    endAnswer(trailers: nil, keepsClient: keepsClient, requestEnded: requestEnded || request == nil)
  }

  private func endAnswer(trailers: HTTPHeaders?, keepsClient: Bool, requestEnded: Bool) {
    guard let context else { return }
    if requestEnded, !keepsClient, !isHTTP2 {
      state = .done
      let written = context.eventLoop.makePromise(of: Void.self)
      written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
      return context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: written)
    }
    context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: nil)
    guard context.channel.isActive else { return state = .done }
    if requestEnded {
      becomeIdle(keepsClient: keepsClient)
    } else {
      state = .discarding(left: limits.discardedBodyBytes, keepsClient: keepsClient)
      startIdleTimer(limits.firstRequest)
      process()
    }
  }

  private func becomeIdle(keepsClient: Bool) {
    guard keepsClient || isHTTP2 else {
      state = .done
      context?.close(promise: nil)
      return
    }
    state = .idle
    if !isHTTP2 { startIdleTimer(limits.keepAlive) }
    process()
  }
}

// MARK: What the pod says

extension ProxyHandler: UpstreamDelegate {
  var wantsUpstreamBytes: Bool { context?.channel.isWritable ?? false }

  func upstreamBecameWritable(_ upstream: UpstreamHandler) { resumeReading() }

  func upstreamFlushed(_ upstream: UpstreamHandler) { context?.flush() }

  func upstreamReceived(_ part: HTTPClientResponsePart, from upstream: UpstreamHandler) {
    guard let context, case .exchanging(let exchange) = state, exchange.upstream === upstream else { return }
    exchange.lastBytes = .now()
    switch part {
    case .head(let head) where head.status == .switchingProtocols:
      exchange.responseHead = head
    case .head(let head) where head.status.code < 200:
      guard exchange.head.version != .http1_0 else { return }
      let answer = Forwarding.response(head, to: exchange.head, isHTTP2: isHTTP2, keepsAlive: true)
      context.writeAndFlush(wrapOutboundOut(.head(answer)), promise: nil)
    case .head(let head):
      exchange.responseHead = head
      exchange.keepsUpstream = head.isKeepAlive && exchange.upgrade == nil
      let answer = Forwarding.response(
        head, to: exchange.head, isHTTP2: isHTTP2, keepsAlive: exchange.keepsClient)
      context.write(wrapOutboundOut(.head(answer)), promise: nil)
    case .body(let bytes):
      exchange.sent += bytes.readableBytes
      context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    case .end(let trailers):
      guard let head = exchange.responseHead else { return }
      if head.status == .switchingProtocols { return switchProtocols(exchange, head) }
      release(exchange, status: Int(head.status.code), reusable: exchange.keepsUpstream && exchange.requestEnded)
      endAnswer(trailers: trailers, keepsClient: exchange.keepsClient, requestEnded: exchange.requestEnded)
    }
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

  /// Both sides agreed on another protocol: from here on bytes go through unread.
  private func switchProtocols(_ exchange: Exchange, _ head: HTTPResponseHead) {
    guard let context, let upstream = exchange.upstream, let podContext = upstream.context, exchange.upgrade != nil,
      exchange.requestEnded
    else {
      exchange.responseHead = nil
      return fail(exchange, .unreachable(exchange.app, "switched protocols without being asked"))
    }
    exchange.watchdog?.cancel()
    context.writeAndFlush(wrapOutboundOut(.head(Forwarding.switching(head))), promise: nil)
    state = .done
    let client = TunnelHandler(silence: limits.silence)
    let pod = TunnelHandler(silence: limits.silence)
    let (routes, app, endpoint) = (shared.routes, exchange.app, exchange.endpoint)
    client.onClose = { [weak client, weak pod] in
      routes.finish(
        app, at: endpoint, status: 101, received: client?.byteCount ?? 0, sent: pod?.byteCount ?? 0)
    }
    do {
      try Self.strip(
        context.pipeline.syncOperations, adding: client, removing: [self],
        encoder: HTTPResponseEncoder.self, decoder: ByteToMessageHandler<HTTPRequestDecoder>.self)
      upstream.delegate = nil
      try Self.strip(
        podContext.pipeline.syncOperations, adding: pod, removing: [upstream],
        encoder: HTTPRequestEncoder.self, decoder: ByteToMessageHandler<HTTPResponseDecoder>.self)
      TunnelHandler.join(client, pod)
    } catch {
      context.close(promise: nil)
      upstream.close()
    }
  }

  /// Replaces the HTTP handlers of a pipeline. The decoder goes last: bytes that it holds then reach the new handler.
  private static func strip<Encoder: RemovableChannelHandler, Decoder: RemovableChannelHandler>(
    _ pipeline: ChannelPipeline.SynchronousOperations, adding handler: TunnelHandler,
    removing own: [any RemovableChannelHandler], encoder: Encoder.Type, decoder: Decoder.Type
  ) throws {
    let encoder = try pipeline.handler(type: encoder)
    let decoder = try pipeline.handler(type: decoder)
    try pipeline.addHandler(handler)
    for handler in own { pipeline.removeHandler(handler, promise: nil) }
    pipeline.removeHandler(encoder, promise: nil)
    pipeline.removeHandler(decoder, promise: nil)
  }
}
