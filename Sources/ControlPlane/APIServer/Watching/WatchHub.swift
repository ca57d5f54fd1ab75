import KubernetesAPI
import Locking

/// Brings every committed change to the watchers that want it, once and in order.
///
/// Publishing and registering exclude one another: a watch sees a change in its first snapshot or as an event, never in
/// both and never in neither.
final class WatchHub: Sendable {
  /// Where a watch begins.
  enum Start: Sendable, Equatable {
    /// With all objects as they are now.
    case snapshot
    case now
    case after(UInt64)
  }

  enum Beginning: Sendable {
    case snapshot(ObjectCache.Snapshot)
    case changes([ObjectChange])
  }

  struct Watcher: Sendable {
    let queue: WatchQueue
    let filter: ObjectFilter
    /// Takes encoded events; otherwise it renders for itself.
    let takesBytes: Bool
    let wantsBookmarks: Bool
    let deadline: ContinuousClock.Instant?
    var nextBookmark: ContinuousClock.Instant
  }

  private struct State {
    var watchers: [[Int: Watcher]]
    var history: EventHistory
    var nextID = 0
    var count = 0
    var isEnded = false
  }

  private let state: Mutex<State>
  private let cache: ObjectCache
  private let configuration: APIServerConfiguration
  private let counters: ServerCounters

  init(kinds: Int, cache: ObjectCache, configuration: APIServerConfiguration, counters: ServerCounters) {
    state = Mutex(
      State(
        watchers: Array(repeating: [:], count: kinds),
        history: EventHistory(
          kinds: kinds, maximumBytes: configuration.historyBytes, revision: cache.revision)))
    self.cache = cache
    self.configuration = configuration
    self.counters = counters
  }

  /// Applies a batch to the cache and tells the watchers.
  func publish(_ changes: [ObjectChange]) {
    var encodings = 0
    var deliveries = 0
    var ended = 0
    state.withLock { state in
      cache.apply(changes)
      for change in changes {
        state.history.append(change)
        guard !state.watchers[change.kind].isEmpty else { continue }
        var event = SharedEvent(change)
        for (id, watcher) in state.watchers[change.kind] {
          guard let type = Self.event(change, for: watcher.filter) else { continue }
          let item =
            watcher.takesBytes ? WatchQueue.Item.encoded(event.bytes(type)) : .event(type, event.record(type))
          if watcher.queue.push(item) {
            deliveries += 1
          } else {
            state.watchers[change.kind][id] = nil
            state.count -= 1
            ended += 1
          }
        }
        encodings += event.encodings
      }
    }
    if encodings + deliveries + ended > 0 {
      counters.published(encoded: encodings, delivered: deliveries, ended: ended)
    }
  }

  /// What a change is to a watcher: an object that begins to match is added, one that stops is deleted.
  static func event(_ change: ObjectChange, for filter: ObjectFilter) -> WatchEventType? {
    let matched = change.previous.map(filter.matches) ?? false
    let matches = change.what != .deleted && filter.matches(change.record)
    switch (matched, matches) {
    case (false, true): return .added
    case (true, true): return .modified
    case (true, false): return .deleted
    case (false, false): return nil
    }
  }

  /// Begins a watch.
  /// - Throws: `APIStatus` with reason Expired if changes after the asked revision are no longer known,
  ///   ServiceUnavailable if every watch has been ended.
  func register(
    kind: Int, filter: ObjectFilter, start: Start, takesBytes: Bool, wantsBookmarks: Bool, timeout: Duration
  ) throws(APIStatus) -> WatchSubscription {
    let queue = WatchQueue(maximumEvents: configuration.watcherEvents, maximumBytes: configuration.watcherBytes)
    let now = ContinuousClock.now
    let watcher = Watcher(
      queue: queue, filter: filter, takesBytes: takesBytes, wantsBookmarks: wantsBookmarks,
      deadline: now + timeout, nextBookmark: now + configuration.jittered(configuration.bookmarkInterval))
    let result: Result<(Int, Beginning, UInt64), APIStatus> = state.withLock { state in
      // A stream that ends at once would make clients ask again at once.
      if state.isEnded {
        return .failure(
          APIStatus(.serviceUnavailable, "the server is shutting down; please try again later", retryAfterSeconds: 1))
      }
      let snapshot = cache.snapshot(of: kind)
      let beginning: Beginning
      switch start {
      case .snapshot: beginning = .snapshot(snapshot)
      case .now: beginning = .changes([])
      case .after(let revision):
        guard revision <= snapshot.revision, let changes = state.history.changes(of: kind, after: revision) else {
          return .failure(
            APIStatus(.expired, "too old resource version: \(revision) (\(snapshot.revision)): list anew, then watch"))
        }
        beginning = .changes(changes)
      }
      let id = state.nextID
      state.nextID += 1
      state.watchers[kind][id] = watcher
      state.count += 1
      return .success((id, beginning, snapshot.revision))
    }
    let (id, beginning, revision) = try result.get()
    return WatchSubscription(queue: queue, beginning: beginning, revision: revision) { [weak self] in
      self?.remove(id, of: kind)
    }
  }

  private func remove(_ id: Int, of kind: Int) {
    state.withLock { state in
      if state.watchers[kind].removeValue(forKey: id) != nil { state.count -= 1 }
    }
  }

  /// Sends bookmarks that are due and ends watches whose time is over.
  func tick(now: ContinuousClock.Instant = .now) {
    state.withLock { state in
      // Everything up to here has been handed to the watchers, since publishing holds the same lock.
      let revision = cache.revision
      for kind in state.watchers.indices {
        for (id, watcher) in state.watchers[kind] {
          var lives = true
          if let deadline = watcher.deadline, deadline <= now {
            watcher.queue.finish()
            lives = false
          } else if watcher.wantsBookmarks, watcher.nextBookmark <= now {
            if watcher.queue.isEmpty { lives = watcher.queue.push(.bookmark(revision: revision)) }
            state.watchers[kind][id]?.nextBookmark = now + configuration.jittered(configuration.bookmarkInterval)
          }
          if !lives {
            state.watchers[kind][id] = nil
            state.count -= 1
          }
        }
      }
    }
  }

  /// Ends every watch and refuses those that are still to come.
  func end() {
    state.withLock { state in
      state.isEnded = true
      for watchers in state.watchers { for watcher in watchers.values { watcher.queue.finish() } }
      for kind in state.watchers.indices { state.watchers[kind] = [:] }
      state.count = 0
    }
  }

  var size: (watchers: Int, historyBytes: Int) { state.withLock { ($0.count, $0.history.bytes) } }
}

/// A change's forms, each made when the first watcher needs it and shared by all that do.
private struct SharedEvent {
  let change: ObjectChange
  private var lines: [WatchEventType: [UInt8]] = [:]
  private var departed: ObjectRecord?
  private(set) var encodings = 0

  init(_ change: ObjectChange) { self.change = change }

  mutating func record(_ type: WatchEventType) -> ObjectRecord {
    guard type == .deleted, change.what != .deleted, let previous = change.previous else { return change.record }
    // Leaves the watcher's sight, not the store: told with its last matching state under the new revision.
    let record = departed ?? ObjectRecord(previous, at: change.revision)
    departed = record
    return record
  }

  mutating func bytes(_ type: WatchEventType) -> [UInt8] {
    if let line = lines[type] { return line }
    let line = type.encoded(record(type).bytes)
    lines[type] = line
    encodings += 1
    return line
  }
}

/// A running watch; it ends when this is given up.
final class WatchSubscription: Sendable {
  let queue: WatchQueue
  let beginning: WatchHub.Beginning
  /// The store's revision when the watch began.
  let revision: UInt64
  private let cancel: @Sendable () -> Void

  init(queue: WatchQueue, beginning: WatchHub.Beginning, revision: UInt64, cancel: @escaping @Sendable () -> Void) {
    self.queue = queue
    self.beginning = beginning
    self.revision = revision
    self.cancel = cancel
  }

  deinit {
    cancel()
    queue.finish()
  }
}
