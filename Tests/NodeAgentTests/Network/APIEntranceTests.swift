import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import NodeAgent

/// The pods' way to the API, with the loopback network as the pods'.
@Suite(.serialized) struct APIEntranceTests {
  /// Runs an entrance in front of something that sends back what it gets.
  private static func with(
    server: Int? = nil, perPod: Int = APIEntrance.connectionsPerPod, inAll: Int = APIEntrance.connections,
    _ body: @Sendable (_ entrance: APIEntrance, _ port: Int) async throws -> Void
  ) async throws {
    let echo = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1024)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let behind = try #require(echo.localAddress?.port)
    // A port that is free now: the entrance has to be told one.
    let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.77.0.1", port: 0).get()
    let port = try #require(probe.localAddress?.port)
    try await probe.close()
    let network = try PodNetwork.test("entrance", "127.77.0.0/24", apiPort: port)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let entrance = try #require(
      APIEntrance(network, server: ("127.0.0.1", server ?? behind), perPod: perPod, inAll: inAll, logger: logger))
    #expect(entrance.addresses.entrance == ("127.77.0.1", port))
    let task = Task { await entrance.run() }
    do {
      try await eventually("it listens") { (try? await connect(port).close()) != nil }
      try await eventually("nothing is open") { entrance.count == 0 }
      try await body(entrance, port)
    } catch {
      task.cancel()
      try? await echo.close()
      throw error
    }
    task.cancel()
    await task.value
    try await eventually("nothing is left open") { entrance.count == 0 }
    try? await echo.close()
  }

  /// A connection to the entrance, and what came back on it.
  private struct Client {
    let channel: any Channel
    let collector: Collector

    /// What came back once the other side has nothing more to say: also when it has closed the connection by now.
    func answer() async throws -> [UInt8] {
      let loop = channel.eventLoop
      return try await loop.flatSubmit { [collector] in collector.finished(loop) }.get()
    }
    func send(_ bytes: ByteBuffer) async throws {
      try await channel.writeAndFlush(bytes)
      try await channel.close(mode: .output)
    }
    func close() async throws { try await channel.close() }
  }

  private static func connect(_ port: Int, from source: String = "127.0.0.1") async throws -> Client {
    let collector = Collector()
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .bind(to: try SocketAddress(ipAddress: source, port: 0))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(collector) }
      }
      .connect(host: "127.77.0.1", port: port).get()
    return Client(channel: channel, collector: collector)
  }

  @Test func `bytes pass both ways, however many, and the end of each way by itself`() async throws {
    try await Self.with { _, port in
      for size in [0, 1, 70_000, 8 << 20] {
        let client = try await Self.connect(port)
        let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        async let answer = client.answer()
        try await client.send(ByteBuffer(bytes: sent))
        #expect(try await answer == sent)
        try? await client.close()
      }
    }
  }

  @Test func `one pod holds no more connections than its share, and keeps nobody else out`() async throws {
    try await Self.with { entrance, port in
      var held: [Client] = []
      for _ in 0..<APIEntrance.connectionsPerPod { held.append(try await Self.connect(port, from: "127.77.0.9")) }
      try await eventually("all are handed on") { entrance.count == APIEntrance.connectionsPerPod }
      let refused = try await attempt(
        Attack(.podWithToken, "more connections to the API than a pod's share", on: .fairShare)
      ) {
        for _ in 0..<20 {
          let more = try await Self.connect(port, from: "127.77.0.9")
          // It is closed without a word.
          guard try await more.answer().isEmpty else { return .through("it was answered") }
        }
        return .check(entrance.count == APIEntrance.connectionsPerPod, "\(entrance.count) are open")
      }
      #expect(refused)
      let other = try await Self.connect(port, from: "127.77.0.10")
      async let answer = other.answer()
      try await other.send(ByteBuffer(string: "hello"))
      #expect(try await answer == Array("hello".utf8))
      // What one gives back it may have again.
      for client in held { try? await client.close() }
      try await eventually("they are given back") { entrance.count == 0 }
      _ = try await Self.connect(port, from: "127.77.0.9")
    }
  }

  @Test func `pods that take all there is leave room for one that has none`() async throws {
    try await Self.with(perPod: 4, inAll: 8) { entrance, port in
      var held: [Client] = []
      for source in ["127.77.0.9", "127.77.0.10"] {
        for _ in 0..<4 { held.append(try await Self.connect(port, from: source)) }
      }
      try await eventually("all are handed on") { entrance.count == 8 }
      let isServed = try await attempt(
        Attack(.podWithToken, "all connections to the API that there are, by several pods", on: .fairShare)
      ) {
        let other = try await Self.connect(port, from: "127.77.0.11")
        async let answer = other.answer()
        try await other.send(ByteBuffer(string: "hello"))
        let bytes = try await answer
        return .check(bytes == Array("hello".utf8), "\(bytes.count) bytes came back")
      }
      #expect(isServed)
      for client in held { try? await client.close() }
    }
  }

  @Test func `a server that is away closes connections and not the entrance`() async throws {
    let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0).get()
    let free = try #require(probe.localAddress?.port)
    try await probe.close()
    try await Self.with(server: free) { _, port in
      for _ in 0..<3 {
        // It may be closed before the client knows that it was open.
        try await eventually("it is closed without a word") {
          guard let client = try? await Self.connect(port) else { return false }
          return try await client.answer().isEmpty
        }
      }
    }
  }
}

/// Sends back what it gets, and ends when the other side has.
private final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .inputClosed? = event as? ChannelEvent else { return }
    // Once both ways have ended, NIO closes at once and drops what still waits to be written.
    let channel = context.channel
    channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(mode: .output, promise: nil) }
  }
}

/// Keeps what comes. Used on its channel's event loop alone.
private final class Collector: ChannelInboundHandler, @unchecked Sendable {
  typealias InboundIn = ByteBuffer

  private var bytes: [UInt8] = []
  private var isFinished = false
  private var waiting: [EventLoopPromise<[UInt8]>] = []

  func finished(_ loop: any EventLoop) -> EventLoopFuture<[UInt8]> {
    let promise = loop.makePromise(of: [UInt8].self)
    if isFinished { promise.succeed(bytes) } else { waiting.append(promise) }
    return promise.futureResult
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes += Array(unwrapInboundIn(data).readableBytesView)
  }
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { finish() }
  }
  func channelInactive(context: ChannelHandlerContext) { finish() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { finish() }

  private func finish() {
    isFinished = true
    for promise in waiting { promise.succeed(bytes) }
    waiting = []
  }
}
