import Locking

/// A fetch that is under way; whoever needs its bytes waits for it instead of fetching again.
final class Flight: Sendable {
  private struct Waiter {
    let isEnough: @Sendable () -> Bool
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var result: Result<Void, any Error>?
    var waiting: [Int: Waiter] = [:]
    var next = 0
  }

  private let state = Mutex(State())

  /// Waits for the end, or until enough of it has come; a waiter that is cancelled leaves, the fetch goes on.
  /// - Throws: what the fetch threw, or `CancellationError`.
  func wait(until isEnough: @escaping @Sendable () -> Bool = { false }) async throws {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let done = state.withLock { state -> Result<Void, any Error>? in
          if let result = state.result { return result }
          if Task.isCancelled { return .failure(CancellationError()) }
          // Asked under the lock: what comes later is told to a waiter that is listed.
          if isEnough() { return .success(()) }
          state.waiting[id] = Waiter(isEnough: isEnough, continuation: continuation)
          return nil
        }
        if let done { continuation.resume(with: done) }
      }
    } onCancel: {
      state.withLock { $0.waiting.removeValue(forKey: id) }?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Another part has come: those for whom it is enough go on.
  func advance() {
    let ready = state.withLock { state in
      let ready = state.waiting.filter { $0.value.isEnough() }
      for id in ready.keys { state.waiting[id] = nil }
      return ready
    }
    for waiter in ready.values { waiter.continuation.resume() }
  }

  func end(_ result: Result<Void, any Error>) {
    let waiting = state.withLock { state in
      state.result = result
      defer { state.waiting = [:] }
      return state.waiting
    }
    for waiter in waiting.values { waiter.continuation.resume(with: result) }
  }
}
