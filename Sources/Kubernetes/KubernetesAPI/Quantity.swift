import BoundedNumbers

/// A resource quantity (`k8s.io/apimachinery/pkg/api/resource`): `500m`, `1Gi`, `2`, `1e3`, kept in thousandths.
public struct Quantity: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Thousandths of one unit (millicores, thousandths of a byte).
  public let milli: Int128
  /// As it was written, so that objects keep their user's spelling.
  private let text: String

  /// The largest quantity, either way: what is beyond counts as this, as in Kubernetes (2^63 - 1 units).
  private static let largest = Int128(Int64.max) * 1000

  /// Parses a quantity; `nil` if it is none. What is finer than a thousandth is rounded away from zero.
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
    guard !whole.isEmpty || !fraction.isEmpty, let scale = Self.scale(of: rest) else { return nil }
    let magnitude = Self.magnitude(
      digits: Array((whole + fraction).utf8.drop { $0 == UInt8(ascii: "0") }), power: scale.power - fraction.count,
      factor: scale.factor)
    milli = isNegative ? -magnitude : magnitude
    self.text = text
  }

  /// digits × 10^power × factor in thousandths, at most `largest`.
  private static func magnitude(digits: [UInt8], power: Int, factor: Int128) -> Int128 {
    var (digits, power) = (digits, power)
    while digits.last == UInt8(ascii: "0") {
      digits.removeLast()
      power += 1
    }
    guard !digits.isEmpty else { return 0 }
    // Beside a binary unit no more digits fit; nobody tells the seventeenth of a kibibyte's fraction.
    let kept = digits.prefix(factor > 1 ? 20 : 34)
    power += digits.count - kept.count
    if kept.count + power > 22 { return largest }
    if kept.count + power < -30 { return 1 }
    var value =
      kept.reduce(Int128(0)) { $0 * 10 + Int128($1 - UInt8(ascii: "0")) } + (kept.count < digits.count ? 1 : 0)
    // Thousandths; divided first where there is something to divide, so that the product stays small.
    power += 3
    var factor = factor
    while power < 0, factor == 1 {
      value = (value + 9) / 10
      power += 1
    }
    while power > 0 {
      value = value.clampedMultiplying(by: 10)
      power -= 1
    }
    while factor > 1 {
      value = value.clampedMultiplying(by: 1024)
      factor /= 1024
    }
    while power < 0 {
      value = value.clampedAdding(9) / 10
      power += 1
    }
    return Swift.min(value, largest)
  }

  /// The power of ten and the binary factor of a suffix.
  private static func scale(of suffix: Substring) -> (power: Int, factor: Int128)? {
    switch suffix {
    case "": return (0, 1)
    case "n": return (-9, 1)
    case "u": return (-6, 1)
    case "m": return (-3, 1)
    case "k": return (3, 1)
    case "M": return (6, 1)
    case "G": return (9, 1)
    case "T": return (12, 1)
    case "P": return (15, 1)
    case "E": return (18, 1)
    case "Ki": return (0, 1 << 10)
    case "Mi": return (0, 1 << 20)
    case "Gi": return (0, 1 << 30)
    case "Ti": return (0, 1 << 40)
    case "Pi": return (0, 1 << 50)
    case "Ei": return (0, 1 << 60)
    default:
      guard suffix.first == "e" || suffix.first == "E", let power = Int32(suffix.dropFirst()) else { return nil }
      return (Int(power), 1)
    }
  }

  /// Whole units, rounded up: bytes, cores, pods.
  public var value: Int64 { Int64(clamping: milli >= 0 ? milli.clampedAdding(999) / 1000 : milli / 1000) }
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
