import NIOCore
import NIOHTTP1

/// Switching to another protocol, such as WebSocket.
extension ProxyHandler {
  /// Both sides agreed on another protocol: from here on bytes go through unread.
  func switchProtocols(_ exchange: Exchange, _ head: HTTPResponseHead) {
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
    // The request is under way, and its connection busy, as long as the tunnel.
    client.onClose = { [weak client, weak pod, slot = exchange.slot, activity = activity.take()] in
      slot.finish(status: 101, received: client?.byteCount ?? 0, sent: pod?.byteCount ?? 0)
      withExtendedLifetime(activity) {}
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
