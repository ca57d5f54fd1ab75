/// Work that several wait for and that is done once: whoever comes while it is under way shares its outcome, and whoever
/// gives up waiting disturbs nobody.
actor Flights<Key: Hashable & Sendable, Value: Sendable> {
  private struct Flight {
    var waiting: [Int: CheckedContinuation<Value, any Error>] = [:]
  }

  private var flights: [Key: Flight] = [:]
  private var lastWaiter = 0
  private var isClosed = false
  private let jobs: AsyncStream<@Sendable () async -> Void>.Continuation
  private let queue: AsyncStream<@Sendable () async -> Void>

  init() { (queue, jobs) = AsyncStream.makeStream() }

  /// Does the work that is asked for, until it is cancelled. Everybody who waits is then told so.
  nonisolated func run() async {
    await withDiscardingTaskGroup { group in
      for await job in queue { group.addTask { await job() } }
      group.cancelAll()
    }
    await abandon()
  }

  /// Begins the work unless it is under way.
  func begin(_ key: Key, _ work: @escaping @Sendable () async throws -> Value) {
    guard flights[key] == nil, !isClosed else { return }
    flights[key] = Flight()
    jobs.yield { [weak self] in
      let outcome: Result<Value, any Error>
      do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
      await self?.land(key, outcome)
    }
  }

  /// Begins the work unless it is under way, and waits for its outcome.
  func value(_ key: Key, _ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
    begin(key, work)
    lastWaiter += 1
    let waiter = lastWaiter
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        if Task.isCancelled || flights[key] == nil {
          continuation.resume(throwing: CancellationError())
        } else {
          flights[key]?.waiting[waiter] = continuation
        }
      }
    } onCancel: {
      Task { await self.leave(key, waiter) }
    }
  }

  /// How many wait.
  func waiters(of key: Key) -> Int { flights[key]?.waiting.count ?? 0 }

  private func leave(_ key: Key, _ waiter: Int) {
    flights[key]?.waiting.removeValue(forKey: waiter)?.resume(throwing: CancellationError())
  }

  private func land(_ key: Key, _ outcome: Result<Value, any Error>) {
    guard let flight = flights.removeValue(forKey: key) else { return }
    for continuation in flight.waiting.values { continuation.resume(with: outcome) }
  }

  private func abandon() {
    isClosed = true
    jobs.finish()
    for key in Array(flights.keys) { land(key, .failure(CancellationError())) }
  }
}
