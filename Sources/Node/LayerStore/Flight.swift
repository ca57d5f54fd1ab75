import Synchronization

/// A fetch that is under way; whoever needs its bytes waits for it instead of fetching again.
final class Flight: Sendable {
  private struct State {
    var result: Result<Void, any Error>?
    var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]
    var next = 0
  }

  private let state = Mutex(State())

  /// Waits for the end; a waiter that is cancelled leaves, the fetch goes on.
  /// - Throws: what the fetch threw, or `CancellationError`.
  func wait() async throws {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let done = state.withLock { state -> Result<Void, any Error>? in
          if let result = state.result { return result }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiting[id] = continuation
          return nil
        }
        if let done { continuation.resume(with: done) }
      }
    } onCancel: {
      state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(throwing: CancellationError())
    }
  }

  func end(_ result: Result<Void, any Error>) {
    let waiting = state.withLock { state in
      state.result = result
      defer { state.waiting = [:] }
      return state.waiting
    }
    for continuation in waiting.values { continuation.resume(with: result) }
  }
}
