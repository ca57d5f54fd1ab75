/// The mean of a few values with its 95 % confidence interval (Student's t).
struct Interval: Sendable {
  var mean: Double
  /// Half of the interval's width; infinite for fewer than two values.
  var half: Double

  init(_ values: [Double]) {
    let count = Double(values.count)
    let mean = values.isEmpty ? .nan : values.reduce(0, +) / count
    self.mean = mean
    guard values.count > 1 else {
      half = .infinity
      return
    }
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    half = Self.student(freedom: values.count - 1) * (variance / count).squareRoot()
  }

  var text: String { half.isFinite ? "\(fixed(mean)) ± \(fixed(half))" : fixed(mean) }

  /// The 97.5 % quantile of Student's t distribution, from the usual table; from 30 degrees on that of the normal one
  /// with its first correction.
  private static func student(freedom: Int) -> Double {
    let table = [
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
      2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
    ]
    return freedom <= table.count ? table[freedom - 1] : 1.96 + 2.4 / Double(freedom)
  }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ digits: Int = 2) -> String {
  guard value.isFinite else { return "-" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let whole = Int64((abs(value) * scale).rounded())
  let text = String(whole)
  let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
  let sign = value < 0 && whole > 0 ? "-" : ""
  return digits == 0 ? sign + padded : "\(sign)\(padded.dropLast(digits)).\(padded.suffix(digits))"
}

/// Rows of text in columns.
func printTable(_ rows: [[String]]) {
  guard let first = rows.first else { return }
  let widths = first.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
  for row in rows {
    print(
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        .trimmingSuffix(" "))
  }
}

extension String {
  func trimmingSuffix(_ character: Character) -> String {
    var text = self[...]
    while text.last == character { text.removeLast() }
    return String(text)
  }
}
