import NIOCore
import NIOHTTP2

/// Makes one host of `:authority` and `host` of an HTTP/2 request, before the head becomes one of HTTP/1.1.
///
/// Both may be there, and must then be the same (RFC 9113 section 8.3.1): a server that looks at the other one than the
/// edge would serve another app. A request in which they differ goes on with both as `host`, which is refused like any
/// request with two hosts.
final class AuthorityHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  typealias InboundOut = HTTP2Frame.FramePayload

  private var hasSeenHead = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !hasSeenHead, case .headers(var content) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    hasSeenHead = true
    let hosts = content.headers["host"]
    guard !hosts.isEmpty else { return context.fireChannelRead(data) }
    let authority = content.headers.first { $0.name == ":authority" }?.value ?? ""
    content.headers.remove(name: "host")
    if hosts.count > 1 || hosts[0].lowercased() != authority.lowercased() {
      content.headers.add(name: "host", value: authority)
      content.headers.add(name: "host", value: hosts[0])
    }
    context.fireChannelRead(wrapInboundOut(.headers(content)))
  }
}
