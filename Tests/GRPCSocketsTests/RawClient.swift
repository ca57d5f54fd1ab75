import Locking
import NIOCore
import NIOPosix
import TestSupport

/// A connection to a unix socket that sends bytes as they are.
final class RawClient: Sendable {
  private struct State {
    var received: [UInt8] = []
    var isClosed = false
  }
  private let state = Mutex(State())
  private let channel: any Channel

  var received: [UInt8] { state.withLock { $0.received } }
  var frames: [HTTP2Bytes.Frame] { HTTP2Bytes.frames(in: received) }
  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// - Parameter reads: whether what comes is taken.
  init(socket: String, reads: Bool = true, first bytes: [UInt8]) async throws {
    let collector = Collector()
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.autoRead, value: reads)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(collector.handler()) }
      }
      .connect(unixDomainSocketPath: socket).get()
    collector.take { [self] bytes in state.withLock { $0.received += bytes } }
    channel.closeFuture.whenComplete { [self] _ in state.withLock { $0.isClosed = true } }
    channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
  }

  func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
  func close() { channel.close(promise: nil) }

  /// Keeps what comes until somebody takes it.
  private final class Collector: Sendable {
    private struct State {
      var early: [UInt8] = []
      var sink: (@Sendable ([UInt8]) -> Void)?
    }
    private let state = Mutex(State())

    func take(_ sink: @escaping @Sendable ([UInt8]) -> Void) {
      state.withLock { state in
        sink(state.early)
        state.sink = sink
      }
    }

    func handler() -> Handler { Handler(self) }

    final class Handler: ChannelInboundHandler {
      typealias InboundIn = ByteBuffer
      private let collector: Collector
      init(_ collector: Collector) { self.collector = collector }
      func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        collector.state.withLock { state in
          if let sink = state.sink { sink(bytes) } else { state.early += bytes }
        }
      }
      func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
  }
}
