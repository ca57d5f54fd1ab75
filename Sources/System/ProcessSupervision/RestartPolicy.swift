/// How long to wait before a part is started again.
public struct RestartPolicy: Sendable, Hashable {
  /// After the first end.
  public var first: Duration
  /// After the second; doubled with each further one.
  public var second: Duration
  public var longest: Duration
  /// A part that was ready for this long begins at `first` again.
  public var runsWellAfter: Duration

  public init(
    first: Duration = .milliseconds(200), second: Duration = .seconds(1), longest: Duration = .seconds(5),
    runsWellAfter: Duration = .seconds(30)
  ) {
    self.first = first
    self.second = second
    self.longest = longest
    self.runsWellAfter = runsWellAfter
  }

  /// - Parameter ends: how often in a row it ended without running well; 1 or more.
  func delay(after ends: Int) -> Duration {
    guard ends > 1 else { return min(first, longest) }
    return min(second * (1 << min(ends - 2, 20)), longest)
  }
}
