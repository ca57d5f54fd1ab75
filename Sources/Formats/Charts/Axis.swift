/// One axis: what it says and the range it shows.
public struct Axis: Sendable, Hashable {
  public var title: String
  public var format: AxisFormat
  /// `nil`: from zero (or the least value, if that is below) to the greatest value.
  public var range: ClosedRange<Double>?

  public init(_ title: String, _ format: AxisFormat, range: ClosedRange<Double>? = nil) {
    self.title = title
    self.format = format
    self.range = range
  }

  /// The range for these values, ended at a round tick; values that are not finite are left out.
  func resolved(_ values: some Sequence<Double>, ticks: Int) -> ClosedRange<Double> {
    if let range, range.lowerBound.isFinite, range.upperBound.isFinite, range.lowerBound < range.upperBound {
      return range
    }
    var (low, high) = (0.0, 0.0)
    for value in values where value.isFinite {
      low = min(low, value)
      high = max(high, value)
    }
    guard high - low > 0, (high - low).isFinite else { return low...(low + 1) }
    let step = format.step(atLeast: (high - low) / Double(max(1, ticks)))
    return ((low / step + 1e-9).rounded(.down) * step)...((high / step - 1e-9).rounded(.up) * step)
  }
}

/// Places values of a range along a stretch of the drawing.
struct Scale {
  let range: ClosedRange<Double>
  let start: Double
  let end: Double

  /// Values outside the range are put at its ends.
  func callAsFunction(_ value: Double) -> Double {
    let width = range.upperBound - range.lowerBound
    guard value.isFinite, width > 0 else { return start }
    return start + (end - start) * max(0, min(1, (value - range.lowerBound) / width))
  }
}
