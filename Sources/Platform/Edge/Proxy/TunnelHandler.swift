import NIOCore

/// One end of an upgraded connection: bytes go through unread, as fast as the other end takes them.
final class TunnelHandler: ChannelInboundHandler, ChannelOutboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private weak var partner: TunnelHandler?
  private var context: ChannelHandlerContext?
  private var isReadHeld = false
  private let silence: TimeAmount
  private var lastBytes = NIODeadline.now()
  private var watchdog: Scheduled<Void>?
  /// Bytes that came from this end.
  private(set) var byteCount = 0
  var onClose: (() -> Void)?

  init(silence: TimeAmount) { self.silence = silence }

  /// Joins two ends; both must be in their pipelines before a byte comes.
  static func join(_ left: TunnelHandler, _ right: TunnelHandler) {
    left.partner = right
    right.partner = left
    // The handlers before may have held a read back, and nobody else would ask again.
    left.isReadHeld = true
    right.isReadHeld = true
    left.resumeReading()
    right.resumeReading()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    watch(after: silence)
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  private func watch(after delay: TimeAmount) {
    watchdog = context?.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
      guard let self else { return }
      let quietUntil = max(self.lastBytes, self.partner?.lastBytes ?? self.lastBytes) + self.silence
      if quietUntil <= .now() {
        self.context?.close(promise: nil)
      } else {
        self.watch(after: quietUntil - .now())
      }
    }
  }

  func read(context: ChannelHandlerContext) {
    if partner?.context?.channel.isWritable ?? false { context.read() } else { isReadHeld = true }
  }

  private func resumeReading() {
    guard isReadHeld, partner?.context?.channel.isWritable ?? false else { return }
    isReadHeld = false
    context?.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    lastBytes = .now()
    byteCount += bytes.readableBytes
    guard let partner, let other = partner.context else { return }
    // Flushed at once: what the decoder held when it was taken out comes without a channelReadComplete.
    other.writeAndFlush(partner.wrapOutboundOut(bytes), promise: nil)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { partner?.resumeReading() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelInactive(context: ChannelHandlerContext) {
    watchdog?.cancel()
    onClose?()
    onClose = nil
    partner?.closeAfterFlush()
  }

  /// Closes once everything written so far is with the kernel.
  private func closeAfterFlush() {
    guard let context else { return }
    let done = context.eventLoop.makePromise(of: Void.self)
    done.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: done)
  }
}
