import HTTP2Connections
import Logging
import NIOCore
import NIOHTTP2

/// The last handler of an HTTP/2 connection: closes it when it fails (not for a malformed request among others), when no byte came or went for too long, and when
/// nothing was asked for too long, whatever else the client sends.
final class HTTP2ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = Any
  typealias OutboundOut = HTTP2Frame

  private let connection: ClientConnection
  private let keepAlive: TimeAmount
  private let logger: Logger
  private var idleTimer: Scheduled<Void>?

  init(connection: ClientConnection, keepAlive: TimeAmount, logger: Logger) {
    self.connection = connection
    self.keepAlive = keepAlive
    self.logger = logger
  }

  func handlerAdded(context: ChannelHandlerContext) { watch(context, after: keepAlive) }
  func handlerRemoved(context: ChannelHandlerContext) { idleTimer?.cancel() }

  func channelInactive(context: ChannelHandlerContext) {
    idleTimer?.cancel()
    context.fireChannelInactive()
  }

  private func watch(_ context: ChannelHandlerContext, after delay: TimeAmount) {
    idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
      guard let self else { return }
      let due = self.connection.isIdle ? self.connection.idleSince + self.keepAlive : .now() + self.keepAlive
      guard due <= .now() else { return self.watch(context, after: due - .now()) }
      // Clients that were just about to ask open another connection for it.
      let goAway = HTTP2Frame(
        streamID: .rootStream, payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
      context.writeAndFlush(self.wrapOutboundOut(goAway), promise: nil)
      context.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !StreamErrors.contains(error) else {
      return logger.debug("an HTTP/2 request is malformed", metadata: ["error": "\(error)"])
    }
    logger.debug("an HTTP/2 connection fails", metadata: ["error": "\(error)"])
    context.flush()  // the library's GOAWAY, which says why
    context.close(promise: nil)
  }
}
