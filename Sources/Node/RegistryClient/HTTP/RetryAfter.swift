/// The header `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
enum RetryAfter {
  /// - Parameter now: seconds since 1970, for dates.
  /// - Returns: at least zero and at most a day; `nil` if the text is neither.
  static func duration(_ text: String, now: Int64) -> Duration? {
    let day: Int64 = 86_400
    if let seconds = Int64(text), seconds >= 0 { return .seconds(min(seconds, day)) }
    return date(text).map { .seconds(max(0, min($0 - now, day))) }
  }

  /// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the form that senders must use (section 5.6.7).
  static func date(_ text: String) -> Int64? {
    let parts = text.split(separator: " ")
    guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]), (1...31).contains(day),
      let month = months.firstIndex(of: parts[2]), let year = Int64(parts[3]), (1970...9999).contains(year)
    else { return nil }
    let clock = parts[4].split(separator: ":").map { Int64($0) ?? -1 }
    guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2])
    else { return nil }
    // Days of a calendar that begins in March, so that the leap day comes last.
    let shifted = (Int64(month) + 10) % 12
    let years = year - (month < 2 ? 1 : 0)
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (shifted * 153 + 2) / 5 + day - 1 - 719_468
    return days * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
  }

  private static let months: [Substring] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
}
