import LayerStore
import Locking
import TestSupport
import Testing

/// Every call ends, and tells what it waited for.
@Suite struct CallRegisterTests {
  /// Something that does not end by itself, and cannot be cancelled.
  private final class Stuck: Sendable {
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])

    func wait() async { await withCheckedContinuation { continuation in waiting.withLock { $0.append(continuation) } } }
    func end() { for continuation in waiting.withLock({ $0 }) { continuation.resume() } }
    var count: Int { waiting.withLock { $0.count } }
  }

  @Test func `a call that is stuck ends with what it waited for`() async throws {
    let (calls, stuck) = (CallRegister(patience: .milliseconds(200)), Stuck())
    let error = await #expect(throws: CallTimedOut.self) {
      try await calls.run("Prepare x") {
        await CallRegister.waiting(.machine, "the disk") { await stuck.wait() }
      }
    }
    #expect(error?.waits.map(\.what) == ["the disk"])
    #expect("\(error.map { "\($0)" } ?? "")".contains("Prepare x was given up"))
    // What it was doing goes on, and is told.
    #expect(calls.calls.map(\.isAbandoned) == [true])
    #expect(calls.totals.timeouts == 1)
    stuck.end()
    try await eventually("it is over") { calls.calls.isEmpty }
  }

  @Test func `a call whose caller went away ends at once`() async throws {
    let (calls, stuck) = (CallRegister(), Stuck())
    let task = Task { try await calls.run("Mounts x") { await stuck.wait() } }
    try await eventually("it waits") { stuck.count == 1 }
    #expect(calls.calls.map(\.name) == ["Mounts x"])
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    stuck.end()
  }

  @Test func `there are so many calls at most, those that were given up included`() async throws {
    let (calls, stuck) = (CallRegister(patience: .milliseconds(100), capacity: 3), Stuck())
    for _ in 0..<3 {
      await #expect(throws: CallTimedOut.self) {
        try await calls.run("List") { await CallRegister.waiting(.turn, "its turn") { await stuck.wait() } }
      }
    }
    await #expect(throws: CallsExhausted.self) { try await calls.run("List") {} }
    stuck.end()
    try await eventually("there is room again") { calls.calls.isEmpty }
    try await calls.run("List") {}
    #expect(calls.totals.refusals == 1)
  }

  @Test func `answers and errors pass, and waits that end are forgotten`() async throws {
    let calls = CallRegister()
    #expect(
      try await calls.run("Stat x") {
        await CallRegister.waiting(.machine, "the disk") { 7 }
      } == 7)
    await #expect(throws: Timeout.self) { try await calls.run("Stat x") { throw Timeout(what: "x") } }
    #expect(calls.calls.isEmpty && calls.totals.timeouts == 0)
  }
}
