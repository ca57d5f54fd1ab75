import Edge
import KubernetesAPI
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

/// Clients that hold connections, to shut everybody else out.
@Suite("Attacks by connections", .serialized)
struct ConnectionAttacks {
  enum Kind: String, CaseIterable, Sendable {
    case silent = "never says a word"
    case handshake = "stops after TLS"
    case halfHead = "stops in the middle of a head"
    case keptAlive = "keeps connections after an answer"
    case http2 = "keeps HTTP/2 connections without streams"
    case unfinishedBody = "never ends its request"
  }

  private static let limits = {
    var limits = EdgeConfiguration.Limits()
    limits.connections = 40
    limits.connectionsPerClient = 16
    return limits
  }()

  @Test("held by one client or by several shut nobody out", arguments: Kind.allCases, [1, 5])
  func floods(kind: Kind, clients: Int) async throws {
    let attack = Attack(.outsider, "\(clients) clients, each \(kind.rawValue)", on: .fairShare)
    let held = try await attempt(attack) {
      let pod = try await Upstream()
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint], limits: Self.limits) { stage, _ in
        var flood: [any Channel] = []
        for number in 0..<120 {
          flood.append(try await Self.open(kind, stage, from: "127.0.0.\(10 + number % clients)"))
        }
        // Each try is a new connection of somebody who has none.
        var answers: [String] = []
        for _ in 0..<3 {
          answers.append(try await stage.curl(["--interface", "127.0.0.200", "-m", "20"]).output)
        }
        let count = stage.server.connectionCount
        for channel in flood { try? await channel.close() }
        outcome = .check(
          answers == Array(repeating: "hello from a\n", count: 3) && count <= 40, "\(answers), \(count) connections")
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  @Test("of one client do not end requests under way of another")
  func underWay() async throws {
    let held = try await attempt(Attack(.outsider, "idle connections beside a stream", on: .otherTraffic)) {
      let pod = try await Upstream()
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint], limits: Self.limits) { stage, _ in
        let text = try await stage.connect { reader, writer in
          try await writer.write(ByteBuffer(string: "GET /sse HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"))
          _ = try await reader.read(until: "data: 1\n\n")
          var flood: [any Channel] = []
          for number in 0..<120 {
            flood.append(try await Self.open(.silent, stage, from: "127.0.0.\(10 + number % 8)"))
          }
          pod.openGate()
          let rest = try await reader.read(until: "data: 2\n\n")
          for channel in flood { try? await channel.close() }
          return rest
        }
        outcome = .check(text.contains("data: 2"), text)
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  /// A connection from a loopback address of the attacker's choice, in the state that `kind` says.
  private static func open(_ kind: Kind, _ stage: Stage, from address: String) async throws -> any Channel {
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(to: try SocketAddress(ipAddress: address, port: 0))
    if kind == .silent { return try await bootstrap.connect(host: "127.0.0.1", port: stage.port).get() }
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .file("\(stage.directory)/trust.pem")
    tls.applicationProtocols = [kind == .http2 ? "h2" : "http/1.1"]
    let context = try NIOSSLContext(configuration: tls)
    let said = SaidWatcher()
    let channel = try await bootstrap.channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(
          NIOSSLClientHandler(context: context, serverHostname: Stage.host))
        try channel.pipeline.syncOperations.addHandler(said.handler())
      }
    }.connect(host: "127.0.0.1", port: stage.port).get()
    let text =
      switch kind {
      case .silent, .handshake: ""
      case .halfHead: "GET / HTTP/1.1\r\nHost: \(Stage.host)\r\nX-Slow: "
      case .keptAlive: "GET / HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"
      case .http2: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u{0}\u{0}\u{0}\u{4}\u{0}\u{0}\u{0}\u{0}\u{0}"
      case .unfinishedBody: "POST /count HTTP/1.1\r\nHost: \(Stage.host)\r\nContent-Length: 100\r\n\r\nx"
      }
    // The edge may have closed it already: that is its right.
    try? await channel.writeAndFlush(ByteBuffer(string: text)).get()
    if kind == .keptAlive || kind == .http2 { await said.waitForBytesOrEnd() }
    return channel
  }
}

/// Waits until a connection has brought bytes, or ended.
private final class SaidWatcher: Sendable {
  private let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)

  func waitForBytesOrEnd() async { try? await promise.futureResult.get() }
  func handler() -> Handler { Handler(promise) }

  final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let promise: EventLoopPromise<Void>
    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { promise.succeed() }
    func channelInactive(context: ChannelHandlerContext) { promise.succeed() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      promise.succeed()
      context.close(promise: nil)
    }
    func handlerRemoved(context: ChannelHandlerContext) { promise.succeed() }
  }
}
