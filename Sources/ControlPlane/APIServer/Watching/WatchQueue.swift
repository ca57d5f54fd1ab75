import Collections
import Locking

/// What waits for one watcher. Bounded: a watcher that does not keep up is ended, never waited for.
final class WatchQueue: Sendable {
  enum Item: Sendable {
    /// An event on the wire, shared with other watchers.
    case encoded([UInt8])
    /// An event for a watcher that wants another form; it renders for itself.
    case event(WatchEventType, ObjectRecord)
    case bookmark(revision: UInt64)

    fileprivate var size: Int {
      switch self {
      case .encoded(let bytes): bytes.count
      case .event(_, let record): record.bytes.count
      case .bookmark: 64
      }
    }
  }

  private struct State {
    var items: Deque<Item> = []
    var bytes = 0
    var waiter: CheckedContinuation<Item?, Never>?
    var isFinished = false
  }

  private let state = Mutex(State())
  private let maximumEvents: Int
  private let maximumBytes: Int

  init(maximumEvents: Int, maximumBytes: Int) {
    self.maximumEvents = maximumEvents
    self.maximumBytes = maximumBytes
  }

  /// - Returns: whether the watcher lives on; `false` if this was too much for it, or it had ended.
  func push(_ item: Item) -> Bool {
    let (waiter, lives): (CheckedContinuation<Item?, Never>?, Bool) = state.withLock { state in
      if state.isFinished { return (nil, false) }
      if let waiter = state.waiter {
        state.waiter = nil
        return (waiter, true)
      }
      guard state.items.count < maximumEvents, state.bytes + item.size <= maximumBytes || state.items.isEmpty else {
        state.isFinished = true
        state.items.removeAll()
        return (nil, false)
      }
      state.items.append(item)
      state.bytes += item.size
      return (nil, true)
    }
    waiter?.resume(returning: item)
    return lives
  }

  /// What waits is still delivered.
  func finish() {
    let waiter = state.withLock { state in
      state.isFinished = true
      return state.waiter.take()
    }
    waiter?.resume(returning: nil)
  }

  var isEmpty: Bool { state.withLock(\.items.isEmpty) }
  var isFinished: Bool { state.withLock(\.isFinished) }

  /// What waits behind the item that was taken last, as far as it is there already and so many bytes hold it.
  func more(bytes: Int) -> [Item] {
    state.withLock { state in
      var taken: [Item] = []
      var left = bytes
      while let item = state.items.first, item.size <= left {
        state.items.removeFirst()
        state.bytes -= item.size
        left -= item.size
        taken.append(item)
      }
      return taken
    }
  }

  /// The next item, in order; `nil` at the end, and when the waiting task is cancelled.
  func next() async -> Item? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: Item?? = state.withLock { state in
          if let item = state.items.popFirst() {
            state.bytes -= item.size
            return .some(item)
          }
          if state.isFinished { return .some(nil) }
          state.waiter = continuation
          return .none
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      finish()
    }
  }
}

/// `metav1.WatchEvent.type`
enum WatchEventType: Int, Sendable {
  case added
  case modified
  case deleted

  private var prefix: StaticString {
    switch self {
    case .added: #"{"type":"ADDED","object":"#
    case .modified: #"{"type":"MODIFIED","object":"#
    case .deleted: #"{"type":"DELETED","object":"#
    }
  }

  /// The event's line.
  func encoded(_ object: [UInt8]) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(prefix.utf8CodeUnitCount + object.count + 2)
    line.append(contentsOf: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
    line.append(contentsOf: object)
    line.append(UInt8(ascii: "}"))
    line.append(UInt8(ascii: "\n"))
    return line
  }
}
