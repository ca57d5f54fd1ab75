import Edge
import Locking
import NIOCore
import NIOHTTP1
import NIOPosix

/// A pod that sets cookies, honest (`/login`) and far-reaching ones (`/plant`), and tells the fields it got.
final class CookiePod: Sendable {
  let endpoint: Endpoint
  private let channel: any Channel
  private let heads = HeadLog()

  final class HeadLog: Sendable {
    let entries = Mutex<[(path: String, text: String)]>([])
  }

  init() async throws {
    let heads = heads
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(CookieApp(heads))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    endpoint = Endpoint(address: "127.0.0.1", port: channel.localAddress?.port ?? 0)
  }

  /// The fields of each request for a path, a line each.
  func heads(of path: String) -> [String] {
    heads.entries.withLock { $0.filter { $0.path == path }.map(\.text) }
  }

  func stop() async { try? await channel.close() }
}

private final class CookieApp: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart
  private let heads: CookiePod.HeadLog

  init(_ heads: CookiePod.HeadLog) { self.heads = heads }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(let head) = unwrapInboundIn(data) else { return }
    let text = head.headers.map { "\($0.name.lowercased()): \($0.value)\n" }.joined()
    heads.entries.withLock { $0.append((head.uri, text)) }
    var fields: HTTPHeaders = ["content-type": "text/plain", "content-length": String(text.utf8.count)]
    let cookies: [String] =
      switch head.uri {
      case "/login": ["session=v; Path=/; Secure; SameSite=Lax", "strict=v; Path=/; Secure; SameSite=Strict"]
      case "/plant":
        ["localhost", ".localhost", "blue.localhost", "dev.blue.localhost", "shop.dev.blue.localhost"].map {
          "planted_\($0.split(separator: ".").joined(separator: "_"))=1; Path=/; Secure; Domain=\($0)"
        } + ["own=1; Path=/; Secure; Domain=demo.localhost", "session=evil; Path=/; Secure; Domain=localhost"]
      default: []
      }
    for cookie in cookies { fields.add(name: "set-cookie", value: cookie) }
    context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: fields))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
