/// Records of a pax extended header (IEEE 1003.1, pax "pax Extended Header"): `LENGTH KEY=VALUE\n`.
struct PaxRecords {
  private(set) var values: [String: [UInt8]] = [:]

  var isEmpty: Bool { values.isEmpty }

  /// Takes the records of one header; later ones replace earlier ones of the same key.
  mutating func read(_ bytes: ArraySlice<UInt8>) throws(TarError) {
    var rest = bytes
    while let first = rest.first {
      guard (48...57).contains(first), let space = rest.prefix(20).firstIndex(of: 0x20),
        let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > 0, length <= rest.count,
        rest.startIndex + length > space + 2, rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
      else { throw TarError(.badExtendedHeader) }
      let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw TarError(.badExtendedHeader) }
      let key = String(decoding: record[..<equals], as: UTF8.self)
      let value = Array(record[(equals + 1)...])
      if key.hasPrefix("GNU.sparse") { throw TarError(.unsupported(type: UInt8(ascii: "S"))) }
      // An empty value takes the record back.
      if value.isEmpty && !key.hasPrefix(Self.attributePrefix) { values[key] = nil } else { values[key] = value }
      rest = rest[(rest.startIndex + length)...]
    }
  }

  mutating func set(_ key: String, _ value: [UInt8]) { values[key] = value }

  subscript(key: String) -> [UInt8]? { values[key] }

  /// A whole number; a fraction is cut off.
  func number(_ key: String) throws(TarError) -> Int64? { try time(key)?.seconds }

  /// Seconds with a fraction.
  func time(_ key: String) throws(TarError) -> FileTime? {
    guard let value = values[key] else { return nil }
    let parts = value.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let seconds = Int64(String(decoding: parts[0], as: UTF8.self)), seconds.magnitude < 1 << 60 else {
      throw TarError(.badExtendedHeader)
    }
    let digits = parts.count > 1 ? Array(parts[1].prefix(9)) : []
    guard digits.allSatisfy({ (48...57).contains($0) }) else { throw TarError(.badExtendedHeader) }
    var fraction: UInt32 = 0
    for index in 0..<9 { fraction = fraction * 10 + (index < digits.count ? UInt32(digits[index] - 48) : 0) }
    // -1.25 is three quarters after -2.
    guard fraction > 0, value.first == UInt8(ascii: "-") else {
      return FileTime(seconds: seconds, nanoseconds: fraction)
    }
    return FileTime(seconds: seconds - 1, nanoseconds: 1_000_000_000 - fraction)
  }

  private static let attributePrefix = "SCHILY.xattr."

  var extendedAttributes: [String: [UInt8]] {
    var attributes: [String: [UInt8]] = [:]
    for (key, value) in values where key.hasPrefix(Self.attributePrefix) {
      attributes[String(key.dropFirst(Self.attributePrefix.count))] = value
    }
    return attributes
  }
}
