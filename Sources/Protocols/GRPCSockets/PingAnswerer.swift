public import NIOCore

/// Answers a trusted peer's PINGs before the HTTP/2 handler sees and counts them; stands first in a channel's pipeline.
///
/// While a peer does not read what it is sent, its PINGs go to the HTTP/2 handler like any other frame: answers can't
/// pile up without bound.
public final class PingAnswerer: ChannelInboundHandler {
  public typealias InboundIn = ByteBuffer
  public typealias InboundOut = ByteBuffer
  public typealias OutboundOut = ByteBuffer

  private var filter = PingFilter()
  private var hasAnswers = false

  public init() {}

  /// Puts one before all handlers of a new connection. For `channelDebuggingCallbacks` in the clear; with TLS the
  /// first bytes are not HTTP/2's.
  @Sendable public static func install(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(PingAnswerer(), position: .first)
    }
  }

  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let output = filter.take(unwrapInboundIn(data), answersPings: context.channel.isWritable)
    for ping in output.pings {
      context.write(wrapOutboundOut(PingFilter.answer(ping, context.channel.allocator)), promise: nil)
      hasAnswers = true
    }
    for buffer in output.passed { context.fireChannelRead(wrapInboundOut(buffer)) }
  }

  public func channelReadComplete(context: ChannelHandlerContext) {
    if hasAnswers {
      hasAnswers = false
      context.flush()
    }
    context.fireChannelReadComplete()
  }
}
