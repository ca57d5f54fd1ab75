extension Duration {
  /// The longest duration that a number from outside becomes: a hundred years. It can be added to any instant of a clock.
  public static let longest: Duration = .seconds(100 * 366 * 86_400)

  /// Seconds of any size, moved into ± a hundred years.
  public static func seconds(clamping seconds: some BinaryInteger) -> Duration {
    let limit = longest.components.seconds
    return .seconds(Swift.min(Swift.max(Int64(clamping: seconds), -limit), limit))
  }

  /// Seconds with a fraction, moved into ± a hundred years; zero for what is not a number.
  public static func seconds(clamping seconds: Double) -> Duration {
    guard !seconds.isNaN else { return .zero }
    let limit = Double(longest.components.seconds)
    return .seconds(Swift.min(Swift.max(seconds, -limit), limit))
  }

  /// Nanoseconds, rounded towards zero, or the edge of `Int64`.
  public var clampedNanoseconds: Int64 {
    components.seconds.clampedMultiplying(by: 1_000_000_000).clampedAdding(components.attoseconds / 1_000_000_000)
  }
}
