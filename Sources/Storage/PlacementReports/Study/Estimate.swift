/// A mean over seeds, and the interval that holds the true mean with 95 % confidence (Student's t).
public struct Estimate: Sendable, Hashable {
  public var mean: Double
  /// Half the width of the interval; 0 for a single value.
  public var halfWidth: Double
  public var count: Int

  /// `nil` without values.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    count = values.count
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    guard values.count > 1 else {
      halfWidth = 0
      return
    }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let deviation = (squares / Double(values.count - 1)).squareRoot()
    halfWidth = Self.quantile(degrees: values.count - 1) * deviation / Double(values.count).squareRoot()
  }

  public var interval: ClosedRange<Double> { (mean - halfWidth)...(mean + halfWidth) }

  /// The 97.5 % quantile of Student's t; from a table, beyond it by its expansion around the normal quantile
  /// (Abramowitz and Stegun 26.7.5).
  static func quantile(degrees: Int) -> Double {
    let table = [
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
      2.110, 2.101, 2.093, 2.086,
    ]
    if degrees >= 1, degrees <= table.count { return table[degrees - 1] }
    let z = 1.959964
    let n = Double(max(1, degrees))
    return z + (z * z * z + z) / (4 * n) + (5 * z * z * z * z * z + 16 * z * z * z + 3 * z) / (96 * n * n)
  }
}
