import struct Synchronization.Atomic

/// What somebody waits for while more is fetched than that; told once.
final class FillGoal: Sendable {
  let isReached: @Sendable () -> Bool
  private let reached: @Sendable () -> Void
  private let isTold = Atomic(false)

  init(isReached: @escaping @Sendable () -> Bool, reached: @escaping @Sendable () -> Void) {
    self.isReached = isReached
    self.reached = reached
  }

  /// Tells it if it is reached and was not told before.
  func check() {
    guard !isTold.load(ordering: .relaxed), isReached() else { return }
    if !isTold.exchange(true, ordering: .acquiringAndReleasing) { reached() }
  }
}
