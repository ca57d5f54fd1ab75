import Collections
import KubernetesAPI
import Locking

/// Keys that wait for work: each at most once, never handed to two workers at a time, namespaces in turn.
///
/// A key added while it is being worked on is handed out again afterwards. Failed keys come back after 5 ms doubling
/// to 60 s. Closing it lets the keys under way finish and hands out no more.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
  /// Numbers for people who look after the process.
  public struct Counts: Sendable, Hashable {
    /// Keys that wait now.
    public var depth = 0
    /// Keys that wait for their time.
    public var delayed = 0
    public var inWork = 0
    public var added = 0
    /// Additions of keys that waited already.
    public var deduplicated = 0
    public var retried = 0
    /// Keys turned away because the queue was full.
    public var dropped = 0
  }

  private struct Delayed: Comparable {
    let deadline: Duration
    let key: Key
    static func < (left: Delayed, right: Delayed) -> Bool { left.deadline < right.deadline }
    static func == (left: Delayed, right: Delayed) -> Bool { left.deadline == right.deadline }
  }

  private struct State {
    /// Keys ready to go, by partition; the partitions take turns.
    var ready: [String: Deque<Key>] = [:]
    var turns: Deque<String> = []
    /// Keys in `ready`, and keys to come back when their present work ends.
    var waiting: Set<Key> = []
    var inWork: Set<Key> = []
    var failures: [Key: Int] = [:]
    var delayed = Heap<Delayed>()
    /// The deadline that counts for a key; other entries of the heap are outdated.
    var deadlines: [Key: Duration] = [:]
    var waiters: OrderedDictionary<Int, CheckedContinuation<Key?, Never>> = [:]
    var nextWaiter = 0
    var isClosed = false
    var hasOverflowed = false
    var counts = Counts()
  }

  private let state = Mutex(State())
  private let timerChanged = Signal()
  private let partition: @Sendable (Key) -> String
  private let capacity: Int
  private let firstRetry: Duration
  private let longestRetry: Duration
  private let now: @Sendable () -> Duration
  private let sleepUntil: @Sendable (Duration) async throws -> Void

  /// - Parameters:
  ///   - capacity: distinct keys that may wait; further ones are turned away (`takeOverflow`).
  ///   - clock: what delays go by.
  ///   - partition: keys of the same partition share one turn, so that a busy namespace does not delay the others.
  public init<C: Clock>(
    capacity: Int = 1_000_000, firstRetry: Duration = .milliseconds(5), longestRetry: Duration = .seconds(60),
    clock: C = ContinuousClock(), partition: @escaping @Sendable (Key) -> String
  ) where C.Duration == Duration {
    self.capacity = capacity
    self.firstRetry = firstRetry
    self.longestRetry = longestRetry
    self.partition = partition
    let origin = clock.now
    now = { origin.duration(to: clock.now) }
    sleepUntil = { try await clock.sleep(until: origin.advanced(by: $0), tolerance: nil) }
  }

  // MARK: Adding

  /// Makes a key ready.
  public func add(_ key: Key) {
    let wake = state.withLock { insert(key, in: &$0) }
    wake?.resume(returning: key)
  }

  /// Makes a key ready after a while; an earlier time that is set already stays.
  public func add(_ key: Key, after delay: Duration) {
    guard delay > .zero else { return add(key) }
    let deadline = now() + delay
    state.withLock { state in
      guard !state.isClosed else { return }
      if let earlier = state.deadlines[key], earlier <= deadline { return }
      state.deadlines[key] = deadline
      state.delayed.insert(Delayed(deadline: deadline, key: key))
    }
    timerChanged.raise()
  }

  /// Makes a key ready after its back-off, which doubles each time until `forget`.
  /// - Returns: how often in a row the key has failed.
  @discardableResult
  public func addRateLimited(_ key: Key) -> Int {
    let failures = state.withLock { state in
      state.counts.retried += 1
      state.failures[key, default: 0] += 1
      return state.failures[key] ?? 1
    }
    add(key, after: Self.delay(after: failures, first: firstRetry, longest: longestRetry))
    return failures
  }

  static func delay(after failures: Int, first: Duration, longest: Duration) -> Duration {
    min(first * (1 << min(max(failures - 1, 0), 30)), longest)
  }

  /// The key is well again: its next failure is its first.
  public func forget(_ key: Key) { state.withLock { _ = $0.failures.removeValue(forKey: key) } }

  /// Makes those keys ready that wait because they failed: what they failed by is over. Their back-off begins anew.
  public func retryFailed() {
    let waiters = state.withLock { state in
      let failed = state.failures.keys.filter { state.deadlines[$0] != nil }
      state.failures = [:]
      return failed.compactMap { key in insert(key, in: &state).map { ($0, key) } }
    }
    for (waiter, key) in waiters { waiter.resume(returning: key) }
  }

  // MARK: Working

  /// The next key; `done` must be called for it. `nil` once the queue is closed or the task cancelled.
  public func next() async -> Key? {
    let id = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: Key?? = state.withLock { state in
          if state.isClosed || Task.isCancelled { return .some(nil) }
          if let key = take(from: &state) { return .some(key) }
          state.waiters[id] = continuation
          return .none
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
    }
  }

  /// The work on a key has ended; if it was added meanwhile, it is ready again.
  public func done(_ key: Key) {
    let wake = state.withLock { state in
      state.inWork.remove(key)
      return state.waiting.remove(key) != nil ? insert(key, in: &state) : nil
    }
    wake?.resume(returning: key)
  }

  /// Hands out no more keys and ends all waiting.
  public func close() {
    let waiters = state.withLock { state in
      state.isClosed = true
      state.ready = [:]
      state.turns = []
      state.waiting = []
      state.delayed = Heap()
      state.deadlines = [:]
      defer { state.waiters = [:] }
      return state.waiters
    }
    for waiter in waiters.values { waiter.resume(returning: nil) }
    timerChanged.raise()
  }

  /// Moves delayed keys to the ready ones when their time comes; runs until the queue is closed or the task cancelled.
  /// Somebody must run it, or delayed keys never come: `Controller` does.
  public func runTimer() async {
    while !Task.isCancelled {
      let (due, next, isClosed) = state.withLock { state in
        let due = takeDue(from: &state)
        return (due, state.delayed.min?.deadline, state.isClosed)
      }
      for (waiter, key) in due { waiter.resume(returning: key) }
      if isClosed { return }
      if let next {
        let sleepUntil = sleepUntil
        await timerChanged.wait(orUntil: { try await sleepUntil(next) })
      } else {
        await timerChanged.wait()
      }
    }
  }

  public var counters: Counts {
    state.withLock { state in
      var counts = state.counts
      counts.depth = state.ready.values.reduce(0) { $0 + $1.count }
      counts.delayed = state.deadlines.count
      counts.inWork = state.inWork.count
      return counts
    }
  }

  /// Keys were turned away since the last call, and the queue has drained: whoever knows all keys should add them again.
  func takeOverflow() -> Bool {
    state.withLock { state in
      guard state.hasOverflowed, state.waiting.isEmpty else { return false }
      state.hasOverflowed = false
      return true
    }
  }

  // MARK: Under the lock

  /// Returns a waiter who must be given the key.
  private func insert(_ key: Key, in state: inout State) -> CheckedContinuation<Key?, Never>? {
    guard !state.isClosed else { return nil }
    state.counts.added += 1
    state.deadlines[key] = nil
    guard !state.waiting.contains(key) else {
      state.counts.deduplicated += 1
      return nil
    }
    guard state.waiting.count < capacity else {
      state.counts.dropped += 1
      state.hasOverflowed = true
      return nil
    }
    if state.inWork.contains(key) {
      state.waiting.insert(key)
      return nil
    }
    if !state.waiters.isEmpty {
      state.inWork.insert(key)
      return state.waiters.removeFirst().value
    }
    state.waiting.insert(key)
    let partition = partition(key)
    if state.ready[partition] == nil { state.turns.append(partition) }
    state.ready[partition, default: []].append(key)
    return nil
  }

  private func take(from state: inout State) -> Key? {
    guard let partition = state.turns.popFirst(), let key = state.ready[partition]?.popFirst() else { return nil }
    if state.ready[partition]?.isEmpty == true {
      state.ready[partition] = nil
    } else {
      state.turns.append(partition)
    }
    state.waiting.remove(key)
    state.inWork.insert(key)
    return key
  }

  private func takeDue(from state: inout State) -> [(CheckedContinuation<Key?, Never>, Key)] {
    let now = now()
    var due: [(CheckedContinuation<Key?, Never>, Key)] = []
    while let first = state.delayed.min {
      let isCurrent = state.deadlines[first.key] == first.deadline
      if isCurrent && first.deadline > now { break }
      state.delayed.removeMin()
      if isCurrent, let waiter = insert(first.key, in: &state) { due.append((waiter, first.key)) }
    }
    return due
  }
}

extension WorkQueue where Key == ObjectKey {
  /// A queue of objects that is fair between namespaces.
  public convenience init(capacity: Int = 1_000_000) {
    self.init(capacity: capacity, clock: ContinuousClock(), partition: \.namespace)
  }
}
