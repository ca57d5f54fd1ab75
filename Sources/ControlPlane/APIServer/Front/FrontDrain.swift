import Locking

/// Ends every stream of a front when it shuts down.
final class FrontDrain: Sendable {
  private struct State {
    var isDraining = false
    var handlers: [UInt64: @Sendable () -> Void] = [:]
    var next: UInt64 = 0
  }
  private let state = Mutex(State())

  /// Streams that are open.
  var count: Int { state.withLock { $0.handlers.count } }

  /// Calls `handler` when the front drains, at once if it does already.
  func register(_ handler: @escaping @Sendable () -> Void) -> UInt64 {
    let (identifier, isDraining) = state.withLock { state in
      state.next += 1
      if !state.isDraining { state.handlers[state.next] = handler }
      return (state.next, state.isDraining)
    }
    if isDraining { handler() }
    return identifier
  }

  func remove(_ identifier: UInt64) { state.withLock { _ = $0.handlers.removeValue(forKey: identifier) } }

  func begin() {
    let handlers = state.withLock { state in
      state.isDraining = true
      return Array(state.handlers.values)
    }
    for handler in handlers { handler() }
  }
}
