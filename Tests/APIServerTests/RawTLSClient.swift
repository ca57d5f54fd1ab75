import Locking
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TestSupport

/// A TLS connection that sends bytes as they are, the first of them in one flight with the end of the handshake.
final class RawTLSClient: Sendable {
  private struct State {
    var received: [UInt8] = []
    var isClosed = false
  }
  private let state = Mutex(State())
  private let channel: any Channel

  var received: [UInt8] { state.withLock { $0.received } }
  var isClosed: Bool { state.withLock { $0.isClosed } }
  var frames: [HTTP2Bytes.Frame] { HTTP2Bytes.frames(in: received) }
  func body(of stream: UInt32) -> String { HTTP2Bytes.body(of: stream, in: received) }

  /// - Parameters:
  ///   - application: the protocol to negotiate (ALPN); `nil` sends without TLS.
  ///   - reads: whether what comes after the handshake is taken.
  init(port: Int, application: String? = "h2", reads: Bool = true, first bytes: [UInt8]) async throws {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.certificateVerification = .none
    tls.applicationProtocols = application.map { [$0] } ?? []
    let context = try NIOSSLContext(configuration: tls)
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard application != nil else { return }
          try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    let channel = self.channel
    try await channel.eventLoop.submit { [self] in
      try channel.pipeline.syncOperations.addHandler(Collector(self, reads: reads))
      // Written before the handshake has ended, it waits for that and goes with its last message.
      channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }.get()
    channel.closeFuture.whenComplete { [self] _ in state.withLock { $0.isClosed = true } }
  }

  func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
  func close() { channel.close(promise: nil) }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let client: RawTLSClient
    private let reads: Bool
    init(_ client: RawTLSClient, reads: Bool) {
      self.client = client
      self.reads = reads
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      // Not before: a read that is under way is taken back, and the handshake would wait for the server's part for ever
      // whenever the server is slower than the test.
      if case TLSUserEvent.handshakeCompleted = event, !reads {
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
      }
      context.fireUserInboundEventTriggered(event)
    }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let buffer = unwrapInboundIn(data)
      client.state.withLock { $0.received += buffer.readableBytesView }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
