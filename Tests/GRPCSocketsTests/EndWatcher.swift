import Locking

/// Tells whether a task has ended, without waiting for it.
final class EndWatcher: Sendable {
  private let result = Mutex<Result<Void, any Error>?>(nil)

  init(_ task: Task<Void, any Error>) {
    Task {
      let result = await task.result
      self.result.withLock { $0 = result }
    }
  }

  var isOver: Bool { result.withLock { $0 != nil } }
  /// What it threw, but that it was cancelled.
  var error: (any Error)? {
    guard case .failure(let error) = result.withLock({ $0 }), !(error is CancellationError) else { return nil }
    return error
  }
}
