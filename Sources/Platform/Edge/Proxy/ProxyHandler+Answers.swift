import Logging
import NIOCore
import NIOHTTP1

/// Ends of exchanges, and the answers that the edge gives by itself.
extension ProxyHandler {
  /// Gives up an exchange with a page, or, if the answer has begun, by ending the client's connection: only that tells
  /// it that the answer is not whole.
  func fail(_ exchange: Exchange, _ page: ErrorPage) {
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
  func abandon(_ exchange: Exchange) {
    release(exchange, status: exchange.responseHead.map { Int($0.status.code) } ?? 0, reusable: false)
  }

  /// Ends an exchange, once. What follows may close the client's connection on the spot, and that must not find it.
  func release(_ exchange: Exchange, status: Int, reusable: Bool) {
    state = .done
    exchange.watchdog?.cancel()
    if let opening = exchange.opening.take() { pool.leave(opening) }
    if let upstream = exchange.upstream {
      exchange.upstream = nil
      upstream.delegate = nil
      if reusable { pool.put(upstream) } else { upstream.close() }
    }
    exchange.slot.finish(status: status, received: exchange.received, sent: exchange.sent)
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
  func answer(
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

  func endAnswer(trailers: HTTPHeaders?, keepsClient: Bool, requestEnded: Bool) {
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

  func becomeIdle(keepsClient: Bool) {
    guard keepsClient || isHTTP2 else {
      state = .done
      context?.close(promise: nil)
      return
    }
    state = .idle
    activity = nil
    if !isHTTP2 { startIdleTimer(limits.keepAlive) }
    process()
  }
}
