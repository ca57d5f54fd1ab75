import OCI
import Testing

@testable import RegistryClient

@Suite("Places at a host")
struct HostGateTests {
  @Test("Readers go before prefetches, those before the background, each in order")
  func order() async throws {
    let gate = HostGate(limit: 1)
    try await gate.enter(.demand)
    let log = Shared<[String]>([])
    try await withThrowingTaskGroup(of: Void.self) { group in
      let waiting: [(FetchUrgency, String)] = [
        (.background, "b1"), (.background, "b2"), (.prefetch, "p1"), (.demand, "d1"), (.prefetch, "p2"),
        (.demand, "d2"),
      ]
      for (number, (urgency, name)) in waiting.enumerated() {
        group.addTask {
          try await gate.enter(urgency)
          log.change { $0.append(name) }
          gate.leave(.answered)
        }
        while gate.waiting <= number { await Task.yield() }
      }
      gate.leave(.answered)
      try await group.waitForAll()
    }
    #expect(log.value == ["d1", "d2", "p1", "p2", "b1", "b2"])
  }

  @Test("Prefetch and background leave places for readers")
  func reserve() async throws {
    let gate = HostGate(limit: 8)
    for _ in 0..<4 { try await gate.enter(.background) }
    let fifth = Task { try await gate.enter(.background) }
    while gate.waiting < 1 { await Task.yield() }
    for _ in 0..<2 { try await gate.enter(.prefetch) }
    for _ in 0..<2 { try await gate.enter(.demand) }
    #expect(gate.waiting == 1)
    fifth.cancel()
    await #expect(throws: CancellationError.self) { try await fifth.value }
    #expect(gate.waiting == 0)
    for _ in 0..<8 { gate.leave(.answered) }
    for _ in 0..<8 { try await gate.enter(.demand) }
  }

  @Test("A host with too much to do gets half of the requests, and by and by more again")
  func decrease() async throws {
    let gate = HostGate(limit: 8)
    for _ in 0..<3 {
      try await gate.enter(.demand)
      gate.leave(.overloaded)
    }
    // Answers that come together count once.
    #expect(gate.limit == 4)
    for _ in 0..<60 {
      try await gate.enter(.demand)
      gate.leave(.answered)
    }
    #expect(gate.limit == 8)
  }

  @Test("A waiter that is cancelled before it waits does not wait")
  func cancelledBefore() async throws {
    let gate = HostGate(limit: 1)
    try await gate.enter(.demand)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await gate.enter(.demand)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    gate.leave(.answered)
    try await gate.enter(.demand)
  }
}
