import Locking

/// Whether the server behind a transport can be reached, as its requests find.
///
/// Whoever waits between tries waits longer each time. When the server is back, after however long, all of them should try at
/// once, not when the longest wait is over: that is what `onReturn` is for.
public final class Reachability: Sendable {
  private struct State {
    var isAway = false
    var next = 0
    var handlers: [Int: @Sendable () -> Bool] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  /// No connection could be made lately.
  public var isAway: Bool { state.withLock { $0.isAway } }

  /// Calls `handler` each time the server answers again after no connection could be made. It is called on whatever task got
  /// that answer and should do little.
  /// - Parameter handler: returns whether it wants to be called again.
  public func onReturn(_ handler: @escaping @Sendable () -> Bool) {
    state.withLock { state in
      state.handlers[state.next] = handler
      state.next += 1
    }
  }

  /// A request found nobody to connect to.
  func noteAway() { state.withLock { $0.isAway = true } }

  /// The server has answered, whatever it said.
  func noteAnswer() {
    let handlers = state.withLock { state -> [Int: @Sendable () -> Bool] in
      guard state.isAway else { return [:] }
      state.isAway = false
      return state.handlers
    }
    for (id, handler) in handlers.sorted(by: { $0.key < $1.key }) where !handler() {
      state.withLock { _ = $0.handlers.removeValue(forKey: id) }
    }
  }
}
