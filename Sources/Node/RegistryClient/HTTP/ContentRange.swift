/// The header `Content-Range` of a part (RFC 9110, section 14.4).
struct ContentRange: Hashable {
  /// Bytes of the whole.
  var range: Range<Int64>
  /// Size of the whole, if it is known.
  var size: Int64?

  /// Reads `bytes 0-99/1000` or `bytes 0-99/*`.
  init?(_ text: String) {
    guard text.lowercased().hasPrefix("bytes ") else { return nil }
    let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
    let ends = parts.first?.split(separator: "-", omittingEmptySubsequences: false) ?? []
    guard parts.count == 2, ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]),
      first <= last, last < .max
    else { return nil }
    range = first..<last + 1
    if parts[1] != "*" {
      guard let number = Self.number(parts[1]), number > last else { return nil }
      size = number
    }
  }

  private static func number(_ text: Substring) -> Int64? {
    text.utf8.allSatisfy { (48...57).contains($0) } ? Int64(text) : nil
  }
}
