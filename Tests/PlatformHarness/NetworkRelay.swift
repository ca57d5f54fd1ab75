import Locking
import NIOCore
import NIOPosix
import NIOSSL

/// A way to a TCP server as long and as narrow as one through a network: adds a round-trip time, caps the bandwidth of
/// answers over all connections together, and counts bytes and HTTP requests.
///
/// One event loop carries it. An answer waits for its share of the bandwidth, then half of the round-trip time; making a
/// connection costs a whole one. No more than one piece of a connection waits for bandwidth at a time, so that the
/// server feels the narrowness and queues stay as short as a router's.
public final class NetworkRelay: Sendable {
  public struct Counts: Sendable, Hashable {
    public var connections = 0
    /// Heads of requests seen.
    public var requests = 0
    /// From the server to clients.
    public var bytes: Int64 = 0
    /// Each request's first line and range, and when it came.
    public var log: [Request] = []
  }

  public struct Request: Sendable, Hashable {
    public var time: ContinuousClock.Instant
    /// `GET /v2/… HTTP/1.1`
    public var line: String
    /// `bytes=0-99`; empty for a whole body.
    public var range: String
  }

  /// `ADDRESS:PORT`, where clients connect to.
  public let host: String
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel

  /// - Parameters:
  ///   - port: of the server, on this machine.
  ///   - roundTrip: added to what the machine itself needs.
  ///   - bytesPerSecond: of answers, over all connections.
  ///   - address: of this machine, where clients connect to.
  ///   - tls: for clients that insist on https. It ends before the line: its handshakes cost no round trips, and requests
  ///     in it are counted.
  public init(
    to port: Int, roundTrip: Duration, bytesPerSecond: Double, address: String = "127.0.0.1", tls: NIOSSLContext? = nil
  ) async throws {
    let line = Line(
      delay: .nanoseconds(Int64(roundTrip / .nanoseconds(1)) / 2), nanosecondsPerByte: 1e9 / bytesPerSecond)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    self.group = group
    let counts = CountSink()
    sink = counts
    channel = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in
        counts.change { $0.connections += 1 }
        let near = RelayEnd(line: line, counts: counts, isClient: true)
        return client.eventLoop.makeCompletedFuture {
          let pipeline = client.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
          try pipeline.addHandler(near)
        }.flatMap {
          ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelInitializer { server in
              server.eventLoop.makeCompletedFuture {
                let far = RelayEnd(line: line, counts: counts, isClient: false)
                (far.other, near.other) = (client, server)
                try server.pipeline.syncOperations.addHandler(far)
              }
            }
            .connect(host: "127.0.0.1", port: port)
        }.map { _ in }
      }
      .bind(host: address, port: 0).get()
    host = "\(address):\(channel.localAddress?.port ?? 0)"
  }

  private let sink: CountSink

  /// What went through since the last `reset`.
  public var counts: Counts { sink.counts }

  public func reset() { sink.change { $0 = Counts() } }

  public func stop() async {
    try? await channel.close()
    try? await group.shutdownGracefully()
  }
}

private final class CountSink: Sendable {
  private let state = Mutex(NetworkRelay.Counts())

  var counts: NetworkRelay.Counts { state.withLock { $0 } }

  func change(_ body: (inout NetworkRelay.Counts) -> Void) { state.withLock { body(&$0) } }
}

/// The line that all connections share.
private final class Line: Sendable {
  let delay: TimeAmount
  private let nanosecondsPerByte: Double
  /// When the last byte that was given to it has left it.
  private let free = Mutex(NIODeadline.now())

  init(delay: TimeAmount, nanosecondsPerByte: Double) {
    self.delay = delay
    self.nanosecondsPerByte = nanosecondsPerByte
  }

  /// When bytes that come now have left it.
  func send(_ count: Int) -> NIODeadline {
    free.withLock { free in
      free = max(free, .now()) + .nanoseconds(Int64(Double(count) * nanosecondsPerByte))
      return free
    }
  }
}

/// One end of a connection: what comes in here goes out at the other end, later.
///
/// Both ends live on the relay's one event loop, which is why they may share their state without locks.
private final class RelayEnd: ChannelInboundHandler, @unchecked Sendable {  // used on one event loop only
  typealias InboundIn = ByteBuffer

  private let line: Line
  private let counts: CountSink
  private let isClient: Bool
  var other: (any Channel)?
  /// What is on its way; a timer per piece takes the first one, so that the order stays.
  private var underway = CircularBuffer<ByteBuffer>()
  private var isFirst = true
  private var heads = HeadCounter()

  init(line: Line, counts: CountSink, isClient: Bool) {
    self.line = line
    self.counts = counts
    self.isClient = isClient
  }

  func channelActive(context: ChannelHandlerContext) {
    context.read()
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let piece = unwrapInboundIn(data)
    underway.append(piece)
    let now = NIODeadline.now()
    var leaves = now
    if isClient {
      let found = heads.count(piece.readableBytesView)
      if !found.isEmpty {
        counts.change {
          $0.requests += found.count
          if $0.log.count < 10_000 { $0.log += found }
        }
      }
      // The client's SYN and the answer to it were one round trip more.
      if isFirst { leaves = now + line.delay + line.delay }
      isFirst = false
    } else {
      counts.change { $0.bytes += Int64(piece.readableBytes) }
      leaves = line.send(piece.readableBytes)
    }
    let loop = context.eventLoop
    _ = loop.scheduleTask(deadline: leaves + line.delay) { [self] in
      guard let piece = underway.popFirst() else { return }
      other?.writeAndFlush(piece, promise: nil)
    }
    let channel = context.channel
    if leaves <= now { channel.read() } else { _ = loop.scheduleTask(deadline: leaves) { channel.read() } }
  }

  func channelInactive(context: ChannelHandlerContext) {
    let loop = context.eventLoop
    // After everything that is on its way.
    _ = loop.scheduleTask(deadline: line.send(0) + line.delay + line.delay + line.delay) { [self] in
      while let piece = underway.popFirst() { other?.write(piece, promise: nil) }
      other?.flush()
      other?.close(promise: nil)
      other = nil
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Finds the heads of HTTP requests in a stream, by the empty line that ends each. Bodies of requests are not expected.
private struct HeadCounter {
  private var head: [UInt8] = []
  private static let end = Array("\r\n\r\n".utf8)

  mutating func count(_ bytes: ByteBufferView) -> [NetworkRelay.Request] {
    var found: [NetworkRelay.Request] = []
    for byte in bytes {
      head.append(byte)
      guard byte == Self.end[3] else { continue }
      if head.suffix(4) == Self.end[...] {
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let range = lines.first { $0.lowercased().hasPrefix("range:") }?.dropFirst(6).drop { $0 == " " }
        found.append(.init(time: .now, line: String(lines.first ?? ""), range: String(range ?? "")))
        head = []
      } else if head.count > 64 << 10 {
        head = []
      }
    }
    return found
  }
}
