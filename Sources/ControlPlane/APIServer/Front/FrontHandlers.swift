import HTTPTypes
import KubernetesAPI
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOHTTPTypes
import NIOSSL
import NIOTLS

/// Sits behind TLS: bounds the handshake and the time without a request, hands the peer's certificate on, and tells
/// when the connection is gone.
final class FrontConnectionHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Any

  private let connection: FrontConnection
  private let table: FrontConnectionTable
  private let handshakeTimeout: TimeAmount
  private let idleTimeout: Duration
  private var deadline: Scheduled<Void>?
  private var idleCheck: Scheduled<Void>?

  init(
    connection: FrontConnection, table: FrontConnectionTable, handshakeTimeout: TimeAmount, idleTimeout: Duration
  ) {
    self.connection = connection
    self.table = table
    self.handshakeTimeout = handshakeTimeout
    self.idleTimeout = idleTimeout
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    deadline = context.eventLoop.scheduleTask(in: handshakeTimeout) { channel.close(promise: nil) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case TLSUserEvent.handshakeCompleted:
      deadline?.cancel()
      deadline = nil
      checkIdle(NIOLoopBound(context, eventLoop: context.eventLoop), after: idleTimeout)
      connection.presentIfMissing(try? context.pipeline.syncOperations.nioSSL_peerCertificate())
    case is ChannelShouldQuiesceEvent where deadline != nil:
      // Nothing was asked yet: nobody waits for an answer.
      context.close(promise: nil)
    case is ChannelShouldQuiesceEvent:
      quiesce(NIOLoopBound(context, eventLoop: context.eventLoop), quietChecks: 0, checksLeft: 100)
      return
    default: break
    }
    context.fireUserInboundEventTriggered(event)
  }

  /// Closes a connection on which nothing was asked for twice the idle timeout. HTTP/1.1 and HTTP/2 have idle timers of
  /// their own, but that of HTTP/2 begins with the first stream's end, and then waits for the peer to answer a ping.
  private func checkIdle(_ context: NIOLoopBound<ChannelHandlerContext>, after wait: Duration) {
    let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
    idleCheck = context.eventLoop.scheduleTask(in: TimeAmount(max(wait, .milliseconds(10)))) {
      let (handler, timeout) = (handler.value, handler.value.idleTimeout * 2)
      guard let since = handler.connection.quietSince else { return handler.checkIdle(context, after: timeout) }
      let left = timeout - (.now - since)
      if left > .zero { handler.checkIdle(context, after: left) } else { context.value.close(promise: nil) }
    }
  }

  /// Says goodbye when the connection has had no request under way for a moment, or after 100 checks (5 s).
  ///
  /// HTTP/2's own goodbye closes the connection with its last stream, the frame that ends it perhaps not yet sent; the
  /// drain ends all streams in this time.
  private func quiesce(_ context: NIOLoopBound<ChannelHandlerContext>, quietChecks: Int, checksLeft: Int) {
    guard context.value.channel.isActive else { return }
    guard quietChecks < 2, checksLeft > 0 else {
      return context.value.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
    let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
    context.value.eventLoop.scheduleTask(in: .milliseconds(50)) {
      let isQuiet = handler.value.connection.exchanges == 0
      handler.value.quiesce(context, quietChecks: isQuiet ? quietChecks + 1 : 0, checksLeft: checksLeft - 1)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  /// Comes for connections, too, that were over before they began.
  func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func end() {
    deadline?.cancel()
    idleCheck?.cancel()
    table.remove(connection)
    connection.markClosed()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Broken TLS and connections that end without a goodbye; there is nobody to tell.
    context.close(promise: nil)
  }
}

/// Closes a connection (or an HTTP/2 stream) whose peer has not taken anything for too long.
final class FrontStallHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Any

  private let timeout: TimeAmount
  private var deadline: Scheduled<Void>?

  init(timeout: TimeAmount) { self.timeout = timeout }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = nil
    if !context.channel.isWritable {
      let channel = context.channel
      deadline = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }
}

/// Answers what the HTTP/1.1 parser refuses, where no answer is under way, and ends the connection.
final class FrontParserErrorHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundOut = HTTPResponsePart

  /// A later request's answer must wait for those of earlier ones, which the reader behind gives.
  private var hasBegun = false
  private var isRefused = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    hasBegun = true
    if !isRefused { context.fireChannelRead(data) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError, !hasBegun, !isRefused else { return context.fireErrorCaught(error) }
    isRefused = true
    let status =
      error == .headerOverflow
      ? FrontExchange.tooLargeHeader("Request header fields too large")
      : APIStatus(.badRequest, "the request is no HTTP/1.1")
    let body = ByteBuffer(bytes: status.json.encoded())
    let head = HTTPResponse(
      status: .init(code: status.code),
      headerFields: [
        .contentType: "application/json", .contentLength: String(body.readableBytes), .connection: "close",
      ])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(body)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    // What the client still sends is read for a moment: closed at once, the connection would be reset under the answer.
    let channel = context.channel
    context.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
  }
}
