import Edge
import Locking
import NIOCore
import NIOHTTP1
import NIOPosix

/// A pod's server: a real HTTP/1.1 server on the loopback, with some behaviours by path.
final class Upstream: Sendable {
  let name: String
  let endpoint: Endpoint
  private let channel: any Channel
  private let children: Children

  /// What the server has seen.
  struct Counts { var connections = 0; var mostOpen = 0; var requests = 0; var bytesWritten = 0 }
  var counts: Counts { children.counts.withLock { $0 } }
  /// Connections that are open now.
  var openCount: Int { children.open.withLock { $0.count } }
  /// Answers that wait for `openGate`.
  var gatedCount: Int { children.gate.withLock { $0.count } }

  final class Children: Sendable {
    let counts = Mutex(Counts())
    let open = Mutex<[ObjectIdentifier: any Channel]>([:])
    /// Opened by the test to let `/sse` send its second event.
    let gate = Mutex<[EventLoopPromise<Void>]>([])
  }

  init(_ name: String = "a") async throws {
    self.name = name
    let children = Children()
    self.children = children
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        children.counts.withLock { $0.connections += 1 }
        let key = ObjectIdentifier(channel)
        let open = children.open.withLock { open in
          open[key] = channel
          return open.count
        }
        children.counts.withLock { $0.mostOpen = max($0.mostOpen, open) }
        channel.closeFuture.whenComplete { _ in children.open.withLock { _ = $0.removeValue(forKey: key) } }
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
          try channel.pipeline.syncOperations.addHandler(UpstreamApp(name: name, children: children))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    endpoint = Endpoint(address: "127.0.0.1", port: channel.localAddress?.port ?? 0)
  }

  func openGate() {
    let promises = children.gate.withLock { gate in
      defer { gate = [] }
      return gate
    }
    for promise in promises { promise.succeed() }
  }

  /// Nobody can connect any more; connections that are open stay.
  func stopListening() async throws { try await channel.close() }

  func stop() async {
    openGate()
    try? await channel.close()
    for child in children.open.withLock({ Array($0.values) }) { try? await child.close() }
  }
}

private final class UpstreamApp: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let name: String
  private let children: Upstream.Children
  private var head: HTTPRequestHead?
  private var received = 0
  private var toSend = 0

  init(name: String, children: Upstream.Children) {
    self.name = name
    self.children = children
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      received = 0
      children.counts.withLock { $0.requests += 1 }
      if head.headers.contains(name: "expect") {
        context.writeAndFlush(wrapOutboundOut(.head(.init(version: .http1_1, status: .continue))), promise: nil)
      }
      if head.uri == "/early" { respond(context, .payloadTooLarge, "no") }
      if head.uri == "/echo" { start(context, .ok, []) }
    case .body(let bytes):
      received += bytes.readableBytes
      if head?.uri == "/echo" {
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
      }
    case .end:
      if let head { answer(context, head) }
    }
  }

  private func answer(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
    switch head.uri {
    case "/headers":
      respond(
        context, .ok,
        "\(head.method) \(head.uri)\n" + head.headers.map { "\($0.name.lowercased()): \($0.value)\n" }.joined())
    case "/count": respond(context, .ok, String(received))
    case "/echo": context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    case "/early", "/never": break
    case "/close": context.close(promise: nil)
    case "/nothing": respond(context, .noContent, nil)
    case "/trailers":
      start(context, .ok, [("trailer", "x-sum")])
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "body")))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(["x-sum": "42"])), promise: nil)
    case "/sse":
      start(context, .ok, [("content-type", "text/event-stream")])
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "data: 1\n\n")))), promise: nil)
      let promise = context.eventLoop.makePromise(of: Void.self)
      promise.futureResult.assumeIsolated().whenSuccess {
        context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "data: 2\n\n")))), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
      }
      children.gate.withLock { $0.append(promise) }
    case let uri where uri.hasPrefix("/bytes/"):
      toSend = Int(uri.dropFirst(7)) ?? 0
      start(context, .ok, [("content-length", String(toSend))])
      sendSome(context)
    default: respond(context, .ok, "hello from \(name)\n")
    }
  }

  private func start(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ headers: [(String, String)]) {
    context.writeAndFlush(
      wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: HTTPHeaders(headers)))), promise: nil)
  }

  private func respond(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ text: String?) {
    let headers = text.map { [("content-length", String($0.utf8.count)), ("keep-alive", "timeout=5")] } ?? []
    start(context, status, headers)
    if let text, head?.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  private func sendSome(_ context: ChannelHandlerContext) {
    while toSend > 0, context.channel.isWritable {
      let count = min(toSend, 64 << 10)
      toSend -= count
      children.counts.withLock { $0.bytesWritten += count }
      context.writeAndFlush(
        wrapOutboundOut(.body(.byteBuffer(ByteBuffer(repeating: UInt8(ascii: "x"), count: count)))), promise: nil)
      if toSend == 0 { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) { sendSome(context) }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// A server that says given bytes once it has read a request's head, and then echoes everything.
final class RawUpstream: Sendable {
  let endpoint: Endpoint
  private let channel: any Channel

  init(saying text: String) async throws {
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(RawApp(text: text))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    endpoint = Endpoint(address: "127.0.0.1", port: channel.localAddress?.port ?? 0)
  }

  func stop() async { try? await channel.close() }
}

private final class RawApp: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let text: String
  private var seen = ""
  private var isEchoing = false

  init(text: String) { self.text = text }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    if isEchoing { return context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
    seen += String(buffer: bytes)
    guard let end = seen.range(of: "\r\n\r\n") else { return }
    isEchoing = true
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text + seen[end.upperBound...])), promise: nil)
  }
}
