import Locking

/// By what pods and others know the API server: roots, PEM. They are followed by others while everything runs.
public final class TrustBundle: Sendable {
  private struct State {
    var pem: String?
    var handlers: [@Sendable () -> Void] = []
  }
  private let state: Mutex<State>

  /// - Parameter pem: `nil`: not known; nobody is told any.
  public init(_ pem: String? = nil) { state = Mutex(State(pem: pem)) }

  var pem: String? { state.withLock { $0.pem } }

  /// From now on these.
  public func replace(_ pem: String) {
    let handlers = state.withLock { state in
      guard state.pem != pem else { return [@Sendable () -> Void]() }
      state.pem = pem
      return state.handlers
    }
    for handler in handlers { handler() }
  }

  /// Calls `handler` after each change.
  func onChange(_ handler: @escaping @Sendable () -> Void) { state.withLock { $0.handlers.append(handler) } }
}
