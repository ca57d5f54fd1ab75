import Locking
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// An HTTP server that answers as a test tells it to: also wrongly, partly, late or never.
final class LyingRegistry: Sendable {
  struct Request: Sendable {
    let method: HTTPMethod
    /// Path and query.
    let target: String
    let headers: HTTPHeaders
    let body: [UInt8]
    /// Of which request on this server, from 1.
    let number: Int

    var path: String { String(target.prefix { $0 != "?" }) }
    /// First and last byte of a range.
    var range: ClosedRange<Int>? {
      guard let text = headers.first(name: "range"), text.hasPrefix("bytes=") else { return nil }
      let ends = text.dropFirst(6).split(separator: "-").compactMap { Int($0) }
      return ends.count == 2 ? ends[0]...ends[1] : nil
    }
  }

  struct Answer: Sendable {
    enum End: Sendable { case finish, close, stall, silent }
    var status = 200
    var headers = HTTPHeaders()
    var body: [UInt8] = []
    /// `Content-Length`; the body's own if nil.
    var announced: Int?
    var end = End.finish

    static func status(_ status: Int, _ headers: HTTPHeaders = [:], _ body: String = "") -> Answer {
      Answer(status: status, headers: headers, body: Array(body.utf8))
    }

    static func body(_ bytes: [UInt8]) -> Answer { Answer(body: bytes) }

    static func redirect(_ location: String) -> Answer { .status(307, ["location": location]) }

    /// What a good registry says to a request for a blob.
    static func blob(_ bytes: [UInt8], _ request: Request) -> Answer {
      guard let range = request.range else { return .body(bytes) }
      guard range.lowerBound < bytes.count else { return .status(416) }
      let end = min(range.upperBound, bytes.count - 1)
      return Answer(
        status: 206, headers: ["content-range": "bytes \(range.lowerBound)-\(end)/\(bytes.count)"],
        body: Array(bytes[range.lowerBound...end]))
    }
  }

  /// `127.0.0.1:PORT`
  let host: String
  let port: Int
  private let channel: any Channel
  private let log: Log

  final class Log: Sendable {
    let requests = Mutex<[Request]>([])
  }

  /// What it was asked so far.
  var requests: [Request] { log.requests.withLock { $0 } }

  init(tls: NIOSSLContext? = nil, _ answer: @escaping @Sendable (Request) -> Answer) async throws {
    let log = Log()
    self.log = log
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 64)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
          try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
          try pipeline.addHandler(Handler(log, answer))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
    host = "127.0.0.1:\(port)"
  }

  func stop() async { try? await channel.close() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let log: Log
    private let answer: @Sendable (Request) -> Answer
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ log: Log, _ answer: @escaping @Sendable (Request) -> Answer) {
      self.log = log
      self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head): (self.head, body) = (head, [])
      case .body(let buffer): body.append(contentsOf: buffer.readableBytesView)
      case .end:
        guard let head else { return }
        let request = log.requests.withLock { requests in
          let request = Request(
            method: head.method, target: head.uri, headers: head.headers, body: body, number: requests.count + 1)
          requests.append(request)
          return request
        }
        write(answer(request), context)
      }
    }

    private func write(_ answer: Answer, _ context: ChannelHandlerContext) {
      if answer.end == .silent { return }
      var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status), headers: answer.headers)
      if !head.headers.contains(name: "content-length") {
        head.headers.add(name: "content-length", value: "\(answer.announced ?? answer.body.count)")
      }
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
      switch answer.end {
      case .finish: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
      case .stall, .silent: context.flush()
      case .close:
        context.flush()
        context.close(promise: nil)
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
