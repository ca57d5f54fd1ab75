import Edge
import NIOCore
import NIOPosix

/// A pod's server that answers with the request as it came: head, chunks and trailers.
final class MirrorUpstream: Sendable {
  let endpoint: Endpoint
  private let channel: any Channel

  init() async throws {
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(MirrorApp()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    endpoint = Endpoint(address: "127.0.0.1", port: channel.localAddress?.port ?? 0)
  }

  func stop() async { try? await channel.close() }
}

private final class MirrorApp: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private var seen = ""

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    seen += String(buffer: unwrapInboundIn(data))
    let isChunked = seen.lowercased().contains("transfer-encoding: chunked")
    guard seen.contains("\r\n\r\n"), !isChunked || (seen.contains("\r\n0\r\n") && seen.hasSuffix("\r\n\r\n")) else {
      return
    }
    let text = seen + "END-OF-MIRROR"
    seen = ""
    context.writeAndFlush(
      wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")),
      promise: nil)
  }
}
