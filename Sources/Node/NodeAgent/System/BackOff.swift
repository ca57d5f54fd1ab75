/// Delays that double from an initial to a maximum value.
struct BackOff: Hashable, Sendable {
  let initial: Duration
  let maximum: Duration
  private var following: Duration

  init(initial: Duration, maximum: Duration) {
    self.initial = initial
    self.maximum = maximum
    following = initial
  }

  /// The delay to wait now; the next one is twice as long.
  mutating func next() -> Duration {
    defer { following = min(following * 2, maximum) }
    return following
  }

  mutating func reset() { following = initial }
}
