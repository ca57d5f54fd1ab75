import Logging
import NIOCore

/// The last handler of an HTTP/2 connection: closes it when it fails, or when no byte came or went for too long.
final class HTTP2ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = Any

  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    logger.debug("an HTTP/2 connection fails", metadata: ["error": "\(error)"])
    context.close(promise: nil)
  }
}
