/// A resource quantity (`k8s.io/apimachinery/pkg/api/resource`): `500m`, `1Gi`, `2`, `1e3`, kept in thousandths.
public struct Quantity: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Thousandths of one unit (millicores, thousandths of a byte).
  public let milli: Int128
  /// As it was written, so that objects keep their user's spelling.
  private let text: String

  /// Parses a quantity; `nil` if it is none or is out of range (2^63 units).
  public init?(_ text: String) {
    guard !text.isEmpty, text.utf8.count <= 64 else { return nil }
    var rest = Substring(text)
    var isNegative = false
    if let sign = rest.first, sign == "+" || sign == "-" {
      isNegative = sign == "-"
      rest = rest.dropFirst()
    }
    let whole = rest.prefix { $0.isASCII && $0.isNumber }
    rest = rest.dropFirst(whole.count)
    var fraction = Substring()
    if rest.first == "." {
      fraction = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(1 + fraction.count)
    }
    guard !whole.isEmpty || !fraction.isEmpty, let (numerator, denominator) = Self.scale(of: rest)
    else { return nil }
    // value = digits × numerator ÷ (10^fraction × denominator), rounded up to a thousandth
    guard whole.count <= 19, fraction.count <= 9, let digits = Int128(whole + fraction) else { return nil }
    var divisor = denominator
    for _ in 0..<fraction.count { divisor *= 10 }
    let (product, overflow) = digits.multipliedReportingOverflow(by: numerator * 1000)
    guard !overflow else { return nil }
    let rounded = (product + divisor - 1) / divisor
    guard rounded <= Int128(Int64.max) * 1000 else { return nil }
    milli = isNegative ? -rounded : rounded
    self.text = text
  }

  private static func scale(of suffix: Substring) -> (Int128, Int128)? {
    switch suffix {
    case "": return (1, 1)
    case "n": return (1, 1_000_000_000)
    case "u": return (1, 1_000_000)
    case "m": return (1, 1000)
    case "k": return (1000, 1)
    case "M": return (1_000_000, 1)
    case "G": return (1_000_000_000, 1)
    case "T": return (1_000_000_000_000, 1)
    case "P": return (1_000_000_000_000_000, 1)
    case "E": return (1_000_000_000_000_000_000, 1)
    case "Ki": return (1 << 10, 1)
    case "Mi": return (1 << 20, 1)
    case "Gi": return (1 << 30, 1)
    case "Ti": return (1 << 40, 1)
    case "Pi": return (1 << 50, 1)
    case "Ei": return (1 << 60, 1)
    default:
      guard suffix.first == "e" || suffix.first == "E", let power = Int(suffix.dropFirst()),
        (-9...18).contains(power)
      else { return nil }
      var factor: Int128 = 1
      for _ in 0..<abs(power) { factor *= 10 }
      return power >= 0 ? (factor, 1) : (1, factor)
    }
  }

  /// Whole units, rounded up: bytes, cores, pods.
  public var value: Int64 { Int64(milli >= 0 ? (milli + 999) / 1000 : milli / 1000) }
  public var milliValue: Int64 { Int64(clamping: milli) }
  public var description: String { text }

  /// Bytes in the largest binary unit that is exact: `1Gi`, `1536Mi`.
  public init(bytes: Int64) {
    milli = Int128(bytes) * 1000
    var text = String(bytes)
    for (shift, unit) in [(50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")]
    where bytes != 0 && bytes & ((1 << shift) - 1) == 0 {
      text = "\(bytes >> shift)\(unit)"
      break
    }
    self.text = text
  }

  public init(milli: Int64) {
    self.milli = Int128(milli)
    text = milli % 1000 == 0 ? String(milli / 1000) : "\(milli)m"
  }

  public static func < (left: Quantity, right: Quantity) -> Bool { left.milli < right.milli }
  public static func == (left: Quantity, right: Quantity) -> Bool { left.milli == right.milli }
  public func hash(into hasher: inout Hasher) { hasher.combine(milli) }
}
