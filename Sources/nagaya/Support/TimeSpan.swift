import ArgumentParser
import BoundedNumbers

/// A span of time on the command line: `90`, `90s`, `2m`, `1h30m`.
struct TimeSpan: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  let seconds: Int

  init(seconds: Int) { self.seconds = seconds }

  init?(argument: String) {
    var total = 0
    var digits = ""
    var lastUnit = Int.max
    for character in argument {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      guard let unit = ["h": 3600, "m": 60, "s": 1][character], unit < lastUnit, let number = Int(digits),
        number < 1_000_000
      else { return nil }
      total += number * unit
      lastUnit = unit
      digits = ""
    }
    if !digits.isEmpty {
      guard lastUnit == .max, let number = Int(digits), number < 1_000_000_000 else { return nil }
      total = number
    } else if lastUnit == .max {
      return nil
    }
    seconds = total
  }

  var duration: Duration { .seconds(clamping: seconds) }
  var description: String { "\(seconds)s" }
  var defaultValueDescription: String { description }
}
