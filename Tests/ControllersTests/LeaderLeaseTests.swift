import APIServer
import KubernetesAPI
import Locking
import Logging
import TestSupport
import Testing

@testable import KubernetesClient

/// Of several replicas one works at a time, whichever of them ends, hangs or is cut off.
@Suite struct LeaderLeaseTests {
  /// A replica's way to the server, which can be cut or stand still.
  private final class Line: APITransport {
    enum State { case open, cut, still }
    private struct Kept {
      var state = State.open
      var lastWrite = ContinuousClock.now
      var writes = 0
      var delay: Duration?
    }
    private let inner: any APITransport
    private let kept = Mutex(Kept())

    init(_ server: APIServer) { inner = InProcessTransport(server, as: .component("test")) }

    func set(_ state: State) { kept.withLock { $0.state = state } }
    /// When the server last got a write of this replica, at the latest.
    var lastWrite: ContinuousClock.Instant { kept.withLock { $0.lastWrite } }

    /// Writes that the server took.
    var writes: Int { kept.withLock { $0.writes } }
    /// Has the answer to the next write come late.
    func delayNextWrite(by delay: Duration) { kept.withLock { $0.delay = delay } }

    func send(_ request: APIRequest) async throws -> APIResponse {
      switch kept.withLock({ $0.state }) {
      case .cut: throw APIStatus(.serviceUnavailable, "cut off")
      case .still: try await Task.sleep(for: .seconds(3600))
      case .open: break
      }
      let began = ContinuousClock.now
      let answer = try await inner.send(request)
      guard request.method != .get, answer.status < 300 else { return answer }
      let delay = kept.withLock { kept in
        kept.lastWrite = began
        kept.writes += 1
        defer { kept.delay = nil }
        return kept.delay
      }
      if let delay { try await Task.sleep(for: delay) }
      return answer
    }
  }

  /// Who works, and whether two ever did at once.
  private final class Work: Sendable {
    private struct State {
      var working: Set<String> = []
      var turns: [String] = []
      var overlaps = 0
      var starts: [ContinuousClock.Instant] = []
    }
    private let state = Mutex(State())
    var turns: [String] { state.withLock { $0.turns } }
    var overlaps: Int { state.withLock { $0.overlaps } }
    /// When somebody began after the first had.
    var firstFollower: ContinuousClock.Instant? { state.withLock { $0.starts.dropFirst().first } }
    func isWorking(_ name: String) -> Bool { state.withLock { $0.working.contains(name) } }

    func begin(_ name: String) {
      state.withLock { state in
        if !state.working.isEmpty { state.overlaps += 1 }
        state.working.insert(name)
        state.turns.append(name)
        state.starts.append(.now)
      }
    }
    func end(_ name: String) { state.withLock { _ = $0.working.remove(name) } }
  }

  private struct Replica: Sendable {
    let name: String
    let line: Line
    let lease: LeaderLease
    let work: Work

    init(_ name: String, _ server: APIServer, _ work: Work, seconds: Int = 15) {
      self.name = name
      self.work = work
      line = Line(server)
      lease = LeaderLease(
        KubernetesClient(line, userAgent: name), namespace: "kube-system", name: "test", identity: name,
        duration: .seconds(seconds), logger: Logger(label: "lease") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Works as long as it leads.
    /// - Parameter again: stands again when it has lost the lease, as happens on a machine that lets it wait for long.
    func run(again: Bool = false) -> Task<Void, any Error> {
      Task {
        while true {
          do {
            try await lease.whileLeading {
              work.begin(name)
              defer { work.end(name) }
              try await Task.sleep(for: .seconds(3600))
            }
          } catch let status as APIStatus where status.isConflict && again && !Task.isCancelled {}
        }
      }
    }
  }

  private func with(_ body: @Sendable (APIServer, Work) async throws -> Void) async throws {
    try await APIServer.withInMemory(registry: .standard, namespaces: ["kube-system"]) { server in
      try await body(server, Work())
    }
  }

  @Test func `each has its turn, and gives the lease back when it ends`() async throws {
    try await with { server, work in
      let replicas = ["a", "b", "c"].map { Replica($0, server, work, seconds: 3) }
      let tasks = replicas.map { $0.run(again: true) }
      var waiting = Set(replicas.indices)
      while !waiting.isEmpty {
        try await eventually("another one leads") { waiting.contains { work.isWorking(replicas[$0].name) } }
        guard let leading = waiting.first(where: { work.isWorking(replicas[$0].name) }) else { continue }
        tasks[leading].cancel()
        _ = await tasks[leading].result
        waiting.remove(leading)
      }
      #expect(Set(work.turns) == ["a", "b", "c"] && work.overlaps == 0)
    }
  }

  @Test func `who is killed is followed when its lease is over, and not before`() async throws {
    try await with { server, work in
      let (first, second) = (Replica("a", server, work), Replica("b", server, work))
      let killed = first.run()
      try await eventually("a leads") { work.isWorking("a") }
      let next = second.run(again: true)
      // Gone without a word: nothing of it reaches the server any more.
      first.line.set(.cut)
      killed.cancel()
      _ = await killed.result
      let last = first.line.lastWrite
      try await eventually("b leads") { work.isWorking("b") }
      #expect(try #require(work.firstFollower) - last >= .seconds(15))
      #expect(work.overlaps == 0)
      next.cancel()
      _ = await next.result
    }
  }

  @Test(arguments: [false, true]) func `who is cut off, or hangs, stops before another begins`(hangs: Bool) async throws
  {
    try await with { server, work in
      let (first, second) = (Replica("a", server, work), Replica("b", server, work))
      let cut = first.run()
      try await eventually("a leads") { work.isWorking("a") }
      let next = second.run(again: true)
      first.line.set(hangs ? .still : .cut)
      let error = await #expect(throws: APIStatus.self) {
        try await withTaskCancellationHandler {
          try await cut.value
        } onCancel: {
          cut.cancel()
        }
      }
      #expect(error?.isConflict == true)
      try await eventually("b leads") { work.isWorking("b") }
      #expect(work.turns.first == "a" && work.turns.dropFirst().allSatisfy { $0 == "b" } && work.overlaps == 0)
      next.cancel()
      _ = await next.result
    }
  }

  @Test func `a lease that was got late is renewed before anybody works by it`() async throws {
    try await with { server, work in
      let late = Replica("a", server, work, seconds: 3)
      late.line.delayNextWrite(by: .milliseconds(1600))
      _ = try await late.lease.waitUntilHeld()
      #expect(late.line.writes >= 2)
    }
  }

  @Test func `a server that is away is waited for, and who comes back under its name goes on`() async throws {
    try await with { server, work in
      let first = Replica("a", server, work)
      first.line.set(.cut)
      let waiting = first.run(again: true)
      first.line.set(.open)
      try await eventually("a leads") { work.isWorking("a") }
      first.line.set(.cut)
      waiting.cancel()
      _ = await waiting.result
      let again = Replica("a", server, work)
      let running = again.run(again: true)
      let turns = work.turns.count
      try await eventually("it leads again") { work.turns.count > turns }
      running.cancel()
      _ = await running.result
    }
  }
}
