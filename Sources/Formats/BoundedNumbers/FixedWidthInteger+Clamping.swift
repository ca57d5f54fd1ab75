extension FixedWidthInteger {
  /// The sum, or the edge of the type that it would have passed.
  public func clampedAdding(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    guard overflow else { return sum }
    return other < 0 ? .min : .max
  }

  /// The difference, or the edge of the type that it would have passed.
  public func clampedSubtracting(_ other: Self) -> Self {
    let (difference, overflow) = subtractingReportingOverflow(other)
    guard overflow else { return difference }
    return other > 0 ? .min : .max
  }

  /// The product, or the edge of the type that it would have passed.
  public func clampedMultiplying(by other: Self) -> Self {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    guard overflow else { return product }
    return (self < 0) == (other < 0) ? .max : .min
  }

  /// The quotient; `whenZero` if the divisor is zero, the edge of the type for the one quotient that does not fit.
  public func clampedDividing(by divisor: Self, whenZero: Self = .max) -> Self {
    guard divisor != 0 else { return whenZero }
    let (quotient, overflow) = dividedReportingOverflow(by: divisor)
    return overflow ? .max : quotient
  }

  /// A fraction without its part behind the point, or the edge of the type; zero for what is not a number.
  public init(clamping value: Double) {
    if value.isNaN {
      self = 0
    } else if let exact = Self(exactly: value.rounded(.towardZero)) {
      self = exact
    } else {
      self = value < 0 ? .min : .max
    }
  }

  /// The value, moved into a range if it lies outside.
  public func clamped(to range: ClosedRange<Self>) -> Self {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}

extension Sequence where Element: FixedWidthInteger {
  /// The sum of all, or the edge of the type that it would have passed on the way.
  public func clampedSum() -> Element { reduce(0) { $0.clampedAdding($1) } }
}
