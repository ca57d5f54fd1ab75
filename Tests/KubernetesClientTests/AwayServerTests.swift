import AsyncHTTPClient
import JSONDocument
import KubernetesAPI
import Locking
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@testable import KubernetesClient

/// A server that is away for a while: nobody waits longer than until it is back.
@Suite(.timeLimit(.minutes(15)))
struct AwayServerTests {
  /// A scripted server to which there is sometimes no way.
  private final class Line: APITransport {
    let server = ScriptedServer()
    let place = Reachability()
    private let isCut = Mutex(true)

    var reachability: Reachability? { place }
    func set(cut: Bool) { isCut.withLock { $0 = cut } }

    func send(_ request: APIRequest) async throws -> APIResponse {
      if isCut.withLock({ $0 }) {
        place.noteAway()
        throw APIStatus(.serviceUnavailable, "nobody there")
      }
      let answer = try await server.send(request)
      place.noteAnswer()
      return answer
    }
  }

  private static let logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
  }()

  @Test func `who waits is told once for each return, for as long as it wants`() {
    let place = Reachability()
    let calls = Mutex<[String]>([])
    place.onReturn {
      calls.withLock { $0.append("always") }
      return true
    }
    place.onReturn {
      calls.withLock { $0.append("once") }
      return false
    }
    place.noteAnswer()
    #expect(calls.withLock { $0 }.isEmpty)
    for _ in 0..<3 { place.noteAway() }
    #expect(place.isAway)
    for _ in 0..<3 { place.noteAnswer() }
    #expect(!place.isAway)
    #expect(calls.withLock { $0 } == ["always", "once"])
    place.noteAway()
    place.noteAnswer()
    #expect(calls.withLock { $0 } == ["always", "once", "always"])
  }

  @Test func `failed keys are ready at once, others at their time`() async {
    let queue = WorkQueue<String>(firstRetry: .seconds(3600), clock: ContinuousClock()) { $0 }
    queue.add("failed")
    #expect(await queue.next() == "failed")
    queue.addRateLimited("failed")
    queue.done("failed")
    queue.add("later", after: .seconds(3600))
    #expect(queue.counters.delayed == 2 && queue.counters.depth == 0)
    queue.retryFailed()
    #expect(await queue.next() == "failed")
    #expect(queue.counters.delayed == 1 && queue.counters.depth == 0)
    // Its next failure is its first.
    #expect(queue.addRateLimited("failed") == 1)
  }

  @Test func `an informer in the longest of waits goes on when another request gets through`() async throws {
    let line = Line()
    line.server.put("a")
    let pauses = Mutex<[Duration]>([])
    let client = KubernetesClient(line, userAgent: "test")
    let informer = Informer(client, .pods, logger: Self.logger) { pause in
      let count = pauses.withLock { pauses in
        pauses.append(pause)
        return pauses.count
      }
      // The tenth wait is one that never ends by itself, and so is each that follows.
      if count >= 10 { try await Task.sleep(for: .seconds(86_400)) }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await informer.run() }
      try await eventually("it waits for long") { pauses.withLock { $0.count } == 10 }
      #expect(pauses.withLock { $0[9] } >= .seconds(15))
      line.set(cut: false)
      _ = try await client.list(.pods)
      try await informer.waitUntilSynced()
      try await eventually("it watches") { line.server.isWatched }
      group.cancelAll()
    }
  }

  @Test
  func `a version that is no longer kept is no failure: the list anew does not wait as long as the server was away`()
    async throws
  {
    let line = Line()
    line.set(cut: false)
    line.server.put("a")
    let pauses = Mutex<[Duration]>([])
    let informer = Informer(KubernetesClient(line, userAgent: "test"), .pods, logger: Self.logger) { pause in
      pauses.withLock { $0.append(pause) }
      // The server comes back amid the tries, without its history.
      if pauses.withLock({ $0.count }) == 9 { line.set(cut: false) }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await informer.run() }
      try await eventually("it watches") { line.server.isWatched }
      for round in 2..<10 {
        pauses.withLock { $0 = [] }
        line.set(cut: true)
        line.server.endWatch(expired: true)
        try await eventually("it lists anew, and watches") { line.server.lists == round && line.server.isWatched }
        let pauses = pauses.withLock { $0 }
        #expect(pauses.max() ?? .zero >= .seconds(5), "\(pauses)")
        #expect(pauses.last == Informer.backoff(after: 1), "\(pauses)")
      }
      group.cancelAll()
    }
  }

  @Test func `what calls itself cancelled, though nobody gave it up, is a failure like any other: the loop goes on`()
    async throws
  {
    // So the HTTP library says of a request that met a closing connection.
    let transport = try HTTPSTransport(.init(server: "http://127.0.0.1:9", origin: "a test"))
    let meant = transport.failure(HTTPClientError.cancelled)
    #expect((meant as? APIStatus)?.reason == .serviceUnavailable, "\(meant)")
    await transport.shutdown()

    let line = Line()
    line.set(cut: false)
    line.server.put("a")
    let informer = Informer(KubernetesClient(Spurious(line), userAgent: "test"), .pods, logger: Self.logger)
    let tries = Mutex(0)
    let controller = Controller<ObjectKey>(name: "test", of: informer, logger: Self.logger) { _ in
      let count = tries.withLock { tries in
        tries += 1
        return tries
      }
      if count < 4 { throw CancellationError() }
      return .done
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await informer.run() }
      group.addTask { try await controller.run() }
      try await informer.waitUntilSynced()
      try await eventually("the key is worked on until it is done") { tries.withLock { $0 } == 4 }
      for version in 2...5 {
        line.server.put("a")
        try await eventually("the change comes") {
          informer.cache.get(namespace: "n", name: "a")?.resourceVersion == "\(version)"
        }
      }
      group.cancelAll()
    }
  }

  /// Every second request ends as if somebody had cancelled it.
  private final class Spurious: APITransport {
    private let line: Line
    private let count = Mutex(0)
    init(_ line: Line) { self.line = line }

    func send(_ request: APIRequest) async throws -> APIResponse {
      let isOdd = count.withLock { count in
        count += 1
        return count % 2 == 1
      }
      if isOdd { throw CancellationError() }
      return try await line.send(request)
    }
  }

  @Test func `a port where nobody listens is a server that is away; an answer, even a refusal, is one that is back`()
    async throws
  {
    let listener = try await Self.listen(port: 0)
    let port = try #require(listener.localAddress?.port)
    try await listener.close()
    let transport = try HTTPSTransport(
      .init(server: "http://127.0.0.1:\(port)", origin: "a test"))
    let place = try #require(transport.reachability)
    let returns = Mutex(0)
    place.onReturn {
      returns.withLock { $0 += 1 }
      return true
    }
    let client = KubernetesClient(transport, userAgent: "test")
    await #expect(throws: APIStatus.self) { try await client.list(.pods) }
    #expect(place.isAway)
    let again = try await Self.listen(port: port)
    for _ in 0..<2 { await #expect(throws: APIStatus.self) { try await client.list(.pods) } }
    #expect(!place.isAway)
    #expect(returns.withLock { $0 } == 1)
    await transport.shutdown()
    try await again.close()
  }

  /// Answers everything with 403.
  private static func listen(port: Int) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Refuser())
        }
      }.bind(host: "127.0.0.1", port: port).get()
  }

  private final class Refuser: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      let head = HTTPResponseHead(version: .http1_1, status: .forbidden, headers: ["content-length": "0"])
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}

extension AwayServerTests {
  @Test func `what a part begins with waits for the server, and hears its refusals`() async throws {
    let line = Line()
    let client = KubernetesClient(line, userAgent: "test")
    let tries = Mutex(0)
    let begun = try await client.begin("a test", logger: Self.logger) {
      let count = tries.withLock { tries -> Int in
        tries += 1
        return tries
      }
      guard count > 3 else { return try await client.get(.nodes, name: "a").name }
      return "begun"
    }
    #expect(begun == "begun" && tries.withLock { $0 } == 4)
    await #expect(throws: APIStatus.self) {
      try await client.begin("a test", logger: Self.logger) { throw APIStatus(.forbidden, "no") }
    }
    let waiting = Task {
      try await client.begin("a test", logger: Self.logger) { try await client.get(.nodes, name: "a") }
    }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
  }
}
