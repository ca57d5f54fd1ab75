import Locking
import Testing

@testable import LazyImages

@Suite struct FlightsTests {
  private struct Failure: Error {}

  private final class Counter: Sendable {
    let value = Mutex(0)
  }

  /// Flights with somebody who does the work, while `body` runs.
  private func with<Value: Sendable>(
    _ flights: Flights<String, Value>, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup { group in
      group.addTask { await flights.run() }
      group.addTask {
        try await body()
      }
      // The work's loop ends only when it is cancelled: the body is the first to end.
      _ = try await group.next()
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  @Test("many who want the same wait for one piece of work") func shared() async throws {
    let flights = Flights<String, Int>()
    let gate = AsyncStream<Void>.makeStream()
    let count = Counter()
    try await with(flights) {
      try await withThrowingTaskGroup { group in
        for _ in 0..<20 {
          group.addTask {
            try await flights.value("a") {
              count.value.withLock { $0 += 1 }
              for await _ in gate.stream {}
              return 7
            }
          }
        }
        while await flights.waiters(of: "a") < 20 { await Task.yield() }
        gate.continuation.finish()
        for try await value in group { #expect(value == 7) }
      }
    }
    #expect(count.value.withLock { $0 } == 1)
  }

  @Test("work that failed is tried again by the next who wants it") func failure() async throws {
    let flights = Flights<String, Int>()
    try await with(flights) {
      await #expect(throws: Failure.self) { try await flights.value("a") { throw Failure() } }
      let second = try await flights.value("a") { 3 }
      #expect(second == 3)
    }
  }

  @Test("who gives up waiting disturbs nobody") func cancelled() async throws {
    let flights = Flights<String, Int>()
    let gate = AsyncStream<Void>.makeStream()
    try await with(flights) {
      let work: @Sendable () async throws -> Int = {
        for await _ in gate.stream {}
        return 1
      }
      try await withThrowingTaskGroup { group in
        group.addTask {
          await #expect(throws: CancellationError.self) { try await flights.value("a", work) }
        }
        while await flights.waiters(of: "a") < 1 { await Task.yield() }
        group.cancelAll()
        try await group.waitForAll()
      }
      async let second = flights.value("a", work)
      while await flights.waiters(of: "a") < 1 { await Task.yield() }
      gate.continuation.finish()
      let value = try await second
      #expect(value == 1)
    }
  }

  @Test("when the work ends for good, everybody who waits is told") func abandoned() async throws {
    let flights = Flights<String, Int>()
    try await withThrowingTaskGroup { group in
      group.addTask { await flights.run() }
      group.addTask {
        await #expect(throws: CancellationError.self) {
          try await flights.value("a") {
            try await Task.sleep(for: .seconds(600))
            return 1
          }
        }
      }
      while await flights.waiters(of: "a") < 1 { await Task.yield() }
      group.cancelAll()
      try await group.waitForAll()
    }
    await #expect(throws: CancellationError.self) { try await flights.value("b") { 1 } }
  }
}
