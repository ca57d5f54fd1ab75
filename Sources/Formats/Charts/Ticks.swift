/// Round positions along an axis.
enum Ticks {
  /// Multiples of a round step that lie within a range, about `count` of them.
  /// - Returns: at least one position; never more than three times `count`.
  static func positions(in range: ClosedRange<Double>, about count: Int, format: AxisFormat) -> [Double] {
    let width = range.upperBound - range.lowerBound
    guard width.isFinite, width > 0, count > 0 else { return [range.lowerBound] }
    let step = format.step(atLeast: width / Double(count))
    let first = (range.lowerBound / step - 1e-9).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    guard first <= last, last - first < 1e4 else { return [range.lowerBound, range.upperBound] }
    return (0...Int(last - first)).map { (first + Double($0)) * step }
  }

  /// The least of 1, 2, 2.5, 5 times a power of ten that is not below `least`.
  static func decimalStep(atLeast least: Double) -> Double {
    guard least.isFinite, least > 0 else { return 1 }
    var power = 1.0
    while power * 10 <= least { power *= 10 }
    while power > least { power /= 10 }
    for factor in [1, 2, 2.5, 5, 10] where power * factor >= least * (1 - 1e-12) { return power * factor }
    return power * 10
  }
}
