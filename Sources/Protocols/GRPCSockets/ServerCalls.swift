import Locking

/// The calls that a server answers, each in a task of its own, so that they can be cancelled without their server.
final class ServerCalls: Sendable {
  private struct State {
    var tasks: [UInt64: Task<Void, Never>] = [:]
    var next: UInt64 = 0
    var isCancelled = false
  }
  private let state = Mutex(State())

  /// Calls that are being answered.
  var count: Int { state.withLock { $0.tasks.count } }

  /// Answers a call; returns when that is done.
  func run(_ answer: @escaping @Sendable () async -> Void) async {
    // The task can end only once the lock is free, thus after it is noted.
    let task = state.withLock { state in
      state.next += 1
      let identifier = state.next
      let task = Task {
        await answer()
        self.state.withLock { _ = $0.tasks.removeValue(forKey: identifier) }
      }
      state.tasks[identifier] = task
      if state.isCancelled { task.cancel() }
      return task
    }
    await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Cancels all calls, and those that come.
  func cancel() {
    let tasks = state.withLock { state in
      state.isCancelled = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }
}
