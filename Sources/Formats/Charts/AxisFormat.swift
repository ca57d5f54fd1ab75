/// What the numbers of an axis are, which decides their round steps and their words.
public enum AxisFormat: Sendable, Hashable {
  /// A plain number.
  case number
  /// A number of things: steps are whole.
  case count
  /// A share, 1 being all of it, written in per cent.
  case share
  /// Bytes, written with binary units.
  case bytes
  /// Seconds from the beginning, written in the largest unit that is round.
  case seconds

  /// A round step of at least `least`.
  func step(atLeast least: Double) -> Double {
    switch self {
    case .number: return Ticks.decimalStep(atLeast: least)
    case .count: return max(1, Ticks.decimalStep(atLeast: least) == 2.5 ? 5 : Ticks.decimalStep(atLeast: least))
    case .share: return Ticks.decimalStep(atLeast: least * 100) / 100
    case .bytes:
      var step = 1.0
      while step < least, step < 1e300 { step *= 2 }
      return step
    case .seconds:
      let steps: [Double] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000,
        604_800, 864_000, 1_728_000, 2_592_000, 5_184_000, 8_640_000, 15_552_000, 31_536_000,
      ]
      return steps.first { $0 >= least } ?? Ticks.decimalStep(atLeast: least / 31_536_000) * 31_536_000
    }
  }

  /// The words of one value, as a tick or label shows it.
  public func text(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    switch self {
    case .number: return Self.decimal(value, digits: abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : 2)
    case .count: return Self.grouped(value)
    case .share: return Self.percent(value)
    case .bytes: return Self.bytes(value)
    case .seconds: return Self.span(value)
    }
  }

  private static func percent(_ value: Double) -> String {
    let hundred = abs(value * 100)
    return decimal(value * 100, digits: hundred >= 10 ? 1 : hundred >= 0.1 ? 2 : 3) + " %"
  }

  private static func bytes(_ value: Double) -> String {
    if value < 0 { return "−" + bytes(-value) }
    var (number, unit) = (value, 0)
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while number >= 1024, unit < units.count - 1 {
      // 2,000 GiB are not 2 TiB: the larger unit only where it is exact to a decimal, or the number would be long.
      let next = number / 1024
      if number < 10_000, unit > 0, (next * 10).rounded() != next * 10 { break }
      number = next
      unit += 1
    }
    return "\(grouped(number)) \(units[unit])"
  }

  private static func span(_ value: Double) -> String {
    let units: [(Double, String)] = [(86_400, "d"), (3600, "h"), (60, "min")]
    for (length, name) in units where abs(value) >= length {
      return "\(decimal(value / length, digits: 1)) \(name)"
    }
    return value == 0 ? "0" : "\(decimal(value, digits: 1)) s"
  }

  private static func grouped(_ value: Double) -> String {
    let digits = Array(decimal(abs(value), digits: abs(value) < 100 ? 1 : 0))
    let whole = digits.prefix { $0 != "." }
    var text = ""
    for (index, digit) in whole.enumerated() {
      if index > 0, (whole.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return (value < 0 ? "−" : "") + text + String(digits.dropFirst(whole.count))
  }

  /// At most `digits` decimals, none that are zero at the end.
  static func decimal(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    guard abs(value) * scale < 1e15 else { return String(value) }
    let scaled = Int64((abs(value) * scale).rounded())
    var text = String(scaled)
    if digits > 0 {
      text = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
      text.insert(".", at: text.index(text.endIndex, offsetBy: -digits))
      while text.last == "0" { text.removeLast() }
      if text.last == "." { text.removeLast() }
    }
    return value < 0 && scaled != 0 ? "−" + text : text
  }
}
