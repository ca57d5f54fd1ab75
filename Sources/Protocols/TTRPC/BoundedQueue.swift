import Collections
import Locking

/// A queue between one that must not wait and one that takes: so many items and so many bytes, no more.
final class BoundedQueue<Item: Sendable>: Sendable {
  private struct State {
    var items = Deque<(item: Item, bytes: Int)>()
    var bytes = 0
    var taker: CheckedContinuation<Item?, any Error>?
    var end: Result<Void, any Error>?
  }

  private let state = Mutex(State())
  private let itemLimit: Int
  private let byteLimit: Int

  init(items: Int, bytes: Int = .max) {
    itemLimit = items
    byteLimit = bytes
  }

  var isEmpty: Bool { state.withLock { $0.items.isEmpty } }

  /// - Returns: `false` if there is no room; the item is dropped then. What comes after the end is dropped, too.
  func push(_ item: Item, bytes: Int = 0) -> Bool {
    let (taker, isTaken): (CheckedContinuation<Item?, any Error>?, Bool) = state.withLock { state in
      guard state.end == nil else { return (nil, true) }
      if let taker = state.taker {
        state.taker = nil
        return (taker, true)
      }
      guard state.items.count < itemLimit, bytes <= byteLimit - state.bytes else { return (nil, false) }
      state.items.append((item, bytes))
      state.bytes += bytes
      return (nil, true)
    }
    taker?.resume(returning: item)
    return isTaken
  }

  /// No more items come; those that are here can still be taken. The first end counts.
  func finish(throwing error: (any Error)? = nil) {
    let taker = state.withLock { state in
      guard state.end == nil else { return nil as CheckedContinuation<Item?, any Error>? }
      state.end = error.map { .failure($0) } ?? .success(())
      defer { state.taker = nil }
      return state.taker
    }
    if let error { taker?.resume(throwing: error) } else { taker?.resume(returning: nil) }
  }

  /// The next item, `nil` at the end. One caller at a time.
  /// - Throws: what the queue was finished with; `CancellationError`.
  func next() async throws -> Item? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let now: Result<Item?, any Error>? = state.withLock { state in
          if let first = state.items.popFirst() {
            state.bytes -= first.bytes
            return .success(first.item)
          }
          if let end = state.end { return end.map { nil } }
          // The handler below has run already, and found nobody.
          if Task.isCancelled { return .failure(CancellationError()) }
          guard state.taker == nil else {
            return .failure(TTRPCError(.internal, "two tasks read one stream"))
          }
          state.taker = continuation
          return nil
        }
        if let now { continuation.resume(with: now) }
      }
    } onCancel: {
      state.withLock { state in
        defer { state.taker = nil }
        return state.taker
      }?.resume(throwing: CancellationError())
    }
  }
}
