public import NIOCore
import NIOPosix

/// A connection to, or from, a unix socket. Bytes are taken from the kernel only when somebody reads.
public final class UnixSocketConnection: DuplexConnection {
  private let channel: any Channel
  private let received = BoundedQueue<ByteBuffer>(items: 1024)

  /// - Throws: `IOError` of NIO: nobody listens at `path`, or it is too long.
  public static func connect(_ path: String, on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton)
    async throws -> UnixSocketConnection
  {
    let channel = try await ClientBootstrap(group: group)
      .channelOption(.autoRead, value: false)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .connect(unixDomainSocketPath: path).get()
    return try await channel.eventLoop.submit { try UnixSocketConnection(channel) }.get()
  }

  /// - Parameters:
  ///   - channel: does not read by itself; to be called on its event loop, before it has read anything.
  ///   - accept: called when the channel is active. Before, a request to read is lost.
  init(_ channel: any Channel, accept: (@Sendable (UnixSocketConnection) -> Void)? = nil) throws {
    self.channel = channel
    try channel.pipeline.syncOperations.addHandler(Receiver(received) { if let accept { accept(self) } })
    let received = received
    channel.closeFuture.whenComplete { _ in received.finish() }
  }

  deinit { channel.close(promise: nil) }

  public func read() async throws -> ByteBuffer? {
    if received.isEmpty { channel.read() }
    return try await received.next()
  }

  public func send(_ bytes: ByteBuffer) -> EventLoopFuture<Void> { channel.writeAndFlush(bytes) }

  public func close() {
    received.finish()
    channel.close(promise: nil)
  }

  /// Says that nothing more comes; what the peer sends is still read.
  public func closeOutput() async throws { try await channel.close(mode: .output).get() }

  private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let received: BoundedQueue<ByteBuffer>
    private var whenActive: (() -> Void)?

    init(_ received: BoundedQueue<ByteBuffer>, whenActive: @escaping () -> Void) {
      self.received = received
      self.whenActive = whenActive
    }

    func channelActive(context: ChannelHandlerContext) {
      whenActive?()
      whenActive = nil
      context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { whenActive = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      // One reading of the socket is a few pieces; that none is asked for before they are taken keeps them few.
      if !received.push(bytes, bytes: bytes.readableBytes) { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if case ChannelEvent.inputClosed = event { received.finish() }
      context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

/// A unix socket that accepts connections.
public struct UnixSocketListener: Sendable {
  private let channel: any Channel

  /// - Parameters:
  ///   - path: nothing is there yet.
  ///   - accept: called for each connection, on an event loop: it must not wait.
  public init(
    _ path: String, on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
    accept: @escaping @Sendable (UnixSocketConnection) -> Void
  ) async throws {
    channel = try await ServerBootstrap(group: group)
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { _ = try UnixSocketConnection(channel, accept: accept) }
      }
      .bind(unixDomainSocketPath: path).get()
  }

  public func close() async { try? await channel.close().get() }
}
