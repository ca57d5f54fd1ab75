import BoundedNumbers

/// An instant in RFC 3339 form with seconds (`metav1.Time`) or microseconds (`metav1.MicroTime`), always UTC.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Microseconds since 1970-01-01T00:00:00Z.
  public let microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }
  public init(seconds: Int64) { microseconds = seconds.clampedMultiplying(by: 1_000_000) }

  /// The years that RFC 3339 can write: 0000 to 9999. What is computed stays within them, so that it can be read again.
  static let writable: ClosedRange<Int64> = -62_167_219_200_000_000...253_402_300_799_000_000

  public var seconds: Int64 {
    microseconds >= 0 ? microseconds / 1_000_000 : microseconds.clampedSubtracting(999_999) / 1_000_000
  }

  /// Parses `2026-11-22T10:00:00Z`, with an optional fraction and an optional `+hh:mm` offset.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.count <= 40 else { return nil }
    func digits(_ range: Range<Int>) -> Int64? {
      var value: Int64 = 0
      for index in range {
        guard (48...57).contains(bytes[index]) else { return nil }
        value = value * 10 + Int64(bytes[index] - 48)
      }
      return value
    }
    guard let year = digits(0..<4), let month = digits(5..<7), let day = digits(8..<10),
      let hour = digits(11..<13), let minute = digits(14..<16), let second = digits(17..<19),
      bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] | 0x20 == UInt8(ascii: "t"),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
    else { return nil }
    var position = 19
    var fraction: Int64 = 0
    if bytes[position] == UInt8(ascii: ".") {
      position += 1
      let start = position
      var scale: Int64 = 100_000
      while position < bytes.count, (48...57).contains(bytes[position]) {
        fraction += Int64(bytes[position] - 48) * scale
        scale /= 10
        position += 1
      }
      guard position > start else { return nil }
    }
    guard position < bytes.count else { return nil }
    var offset: Int64 = 0
    if bytes[position] | 0x20 == UInt8(ascii: "z") {
      guard position + 1 == bytes.count else { return nil }
    } else {
      guard position + 6 == bytes.count, bytes[position + 3] == UInt8(ascii: ":"),
        let hours = digits(position + 1..<position + 3), let minutes = digits(position + 4..<position + 6)
      else { return nil }
      switch bytes[position] {
      case UInt8(ascii: "+"): offset = hours * 3600 + minutes * 60
      case UInt8(ascii: "-"): offset = -(hours * 3600 + minutes * 60)
      default: return nil
      }
    }
    let days = Self.daysSinceEpoch(year: year, month: month, day: day)
    // A day that its month does not have would come back as one of the next month.
    guard Self.date(daysSinceEpoch: days).2 == day else { return nil }
    microseconds = (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000 + fraction
  }

  /// `2026-11-22T10:00:00Z`
  public var description: String {
    let (date, time) = parts
    return "\(date)T\(time)Z"
  }

  /// `2026-11-22T10:00:00.000000Z` (`metav1.MicroTime`)
  public var microTime: String {
    let (date, time) = parts
    let fraction = String(
      microseconds.clampedSubtracting(seconds.clampedMultiplying(by: 1_000_000)).clamped(to: 0...999_999))
    return "\(date)T\(time).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)Z"
  }

  private var parts: (String, String) {
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let rest = seconds - days * 86_400
    let (year, month, day) = Self.date(daysSinceEpoch: days)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let yearText = String(year)
    return (
      "\(String(repeating: "0", count: max(0, 4 - yearText.count)))\(yearText)-\(two(month))-\(two(day))",
      "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
    )
  }

  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

  /// So much later, or earlier; at most the edge of what can be written.
  public func adding(seconds: Int64) -> Timestamp {
    let moved = microseconds.clampedAdding(seconds.clampedMultiplying(by: 1_000_000)).clamped(to: Self.writable)
    // What lies beyond already stays where it is: later is never earlier.
    return Timestamp(microseconds: seconds < 0 ? Swift.min(moved, microseconds) : Swift.max(moved, microseconds))
  }

  /// Whole seconds from another instant to this one; negative if the other is later.
  public func seconds(since other: Timestamp) -> Int64 { seconds.clampedSubtracting(other.seconds) }

  // Howard Hinnant's "days from civil", proleptic Gregorian calendar.
  private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func date(daysSinceEpoch days: Int64) -> (Int64, Int64, Int64) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthPart = (5 * dayOfYear + 2) / 153
    let month = monthPart < 10 ? monthPart + 3 : monthPart - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthPart + 2) / 5 + 1)
  }
}
