import Locking
import OCI

/// Bounds the bytes that are in memory at once; readers that wait go first.
actor FillBudget {
  private let limit: Int64
  private var used: Int64 = 0
  private var waiting: [(id: Int, bytes: Int64, cause: FillCause, continuation: CheckedContinuation<Void, any Error>)] =
    []
  private var nextID = 0

  init(limitBytes: Int64) { limit = max(1, limitBytes) }

  /// Waits until there is room; more than the limit is let in alone.
  func acquire(_ bytes: Int64, _ cause: FillCause) async throws {
    try Task.checkCancellation()
    if waiting.isEmpty, fits(bytes) {
      used += bytes
      return
    }
    let id = nextID
    nextID += 1
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
        let place = waiting.firstIndex { $0.cause < cause } ?? waiting.count
        waiting.insert((id, bytes, cause, continuation), at: place)
        admit()
      }
    } onCancel: {
      Task { await cancel(id) }
    }
  }

  /// How many wait, and bytes in use.
  var usage: (waiting: Int, bytes: Int64, limit: Int64) { (waiting.count, used, limit) }

  func release(_ bytes: Int64) {
    used -= bytes
    admit()
  }

  private func fits(_ bytes: Int64) -> Bool { used == 0 || used + bytes <= limit }

  private func admit() {
    while let first = waiting.first, fits(first.bytes) {
      waiting.removeFirst()
      used += first.bytes
      first.continuation.resume()
    }
  }

  private func cancel(_ id: Int) {
    guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
    waiting.remove(at: index).continuation.resume(throwing: CancellationError())
    admit()
  }
}

/// Lets the background fetch so many bytes a second (token bucket), and only while no reader waits.
actor BackgroundPace {
  private let bytesPerSecond: Int64?
  private let quiet: Duration
  private var debt: Int64 = 0
  private var checked = ContinuousClock.now
  private let demand: DemandCount

  /// - Parameters:
  ///   - bytesPerSecond: `nil`: as fast as it goes.
  ///   - quiet: how long no reader must have waited.
  init(bytesPerSecond: Int64?, quiet: Duration, demand: DemandCount) {
    self.bytesPerSecond = bytesPerSecond
    self.quiet = quiet
    self.demand = demand
  }

  /// Waits for the next turn.
  func wait() async throws {
    while true {
      try Task.checkCancellation()
      if let rest = demand.quietIn(quiet) {
        try await Task.sleep(for: rest)
        continue
      }
      guard let bytesPerSecond, bytesPerSecond > 0 else { return }
      let now = ContinuousClock.now
      let elapsed = now - checked
      checked = now
      let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
      debt = max(0, debt - Int64(seconds * Double(bytesPerSecond)))
      guard debt > 0 else { return }
      try await Task.sleep(for: .seconds(min(1, Double(debt) / Double(bytesPerSecond))))
    }
  }

  /// Counts what was fetched: the next turn comes when it is paid for.
  func pay(_ bytes: Int64) { debt += bytes }
}

/// How many readers wait now.
final class DemandCount: Sendable {
  var count: Int { state.withLock { $0.count } }

  private let state = Mutex<(count: Int, last: ContinuousClock.Instant?)>((0, nil))

  func enter() { state.withLock { $0.count += 1 } }

  func leave() {
    state.withLock {
      $0.count -= 1
      $0.last = .now
    }
  }

  /// Counts as a read: somebody is about to.
  func touch() { state.withLock { $0.last = .now } }

  /// `nil` if nobody has waited for so long; else when it is worth asking again.
  func quietIn(_ quiet: Duration) -> Duration? {
    state.withLock { state -> Duration? in
      if state.count > 0 { return .milliseconds(20) }
      guard let last = state.last else { return nil }
      let rest = quiet - (ContinuousClock.now - last)
      return rest > .zero ? rest : nil
    }
  }
}
