import NIOCore
import NIOSSL

/// A connection on which frames are exchanged.
typealias TransferChannel = NIOAsyncChannel<TransferFrame, TransferFrame>

enum TransferPipeline {
  /// How long the other side may be silent: it may have to wait for its disk.
  static let patience: TimeAmount = .minutes(5)

  /// Dresses a new connection.
  static func dress(_ channel: any Channel, _ tls: any ChannelHandler) throws -> TransferChannel {
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(tls)
    try pipeline.addHandler(IdleStateHandler(readTimeout: patience))
    try pipeline.addHandler(SilenceHandler())
    try pipeline.addHandler(ByteToMessageHandler(TransferFrameDecoder()))
    try pipeline.addHandler(MessageToByteHandler(TransferFrameEncoder()))
    // Frames are large: few are read ahead.
    return try TransferChannel(
      wrappingChannelSynchronously: channel,
      configuration: .init(backPressureStrategy: .init(lowWatermark: 2, highWatermark: 16)))
  }

  /// Closes a connection whose other side says nothing.
  private final class SilenceHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event is IdleStateHandler.IdleStateEvent {
        context.close(promise: nil)
      } else {
        context.fireUserInboundEventTriggered(event)
      }
    }
  }
}

/// The two directions of a connection, for one task.
struct TransferConversation {
  private var frames: NIOAsyncChannelInboundStream<TransferFrame>.AsyncIterator
  private let writer: NIOAsyncChannelOutboundWriter<TransferFrame>

  init(
    _ inbound: NIOAsyncChannelInboundStream<TransferFrame>, _ outbound: NIOAsyncChannelOutboundWriter<TransferFrame>
  ) {
    frames = inbound.makeAsyncIterator()
    writer = outbound
  }

  func send(_ frame: TransferFrame) async throws { try await writer.write(frame) }

  /// - Throws: `TransferError.refused` if that is what came, `disconnected` if nothing did.
  mutating func receive() async throws -> TransferFrame {
    guard let frame = try await frames.next() else { throw TransferError.disconnected }
    if case .refusal(let reason) = frame { throw TransferError.refused(reason) }
    return frame
  }
}
