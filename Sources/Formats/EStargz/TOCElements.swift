/// Walks over the elements of the array `entries` in a table of contents, so that only one of a million is a tree in
/// memory at a time. Looks for structure only; the elements are validated when they are parsed.
struct TOCElements {
  private let bytes: ArraySlice<UInt8>
  private var position: Int
  private static let depthLimit = 16

  /// - Throws: `.malformed` if there is no array `entries` at the top level.
  init(_ bytes: ArraySlice<UInt8>) throws(LayerTOCError) {
    self.bytes = bytes
    position = bytes.startIndex
    try expect(UInt8(ascii: "{"))
    while true {
      let key = try string()
      try expect(UInt8(ascii: ":"))
      if key.elementsEqual("entries".utf8) { break }
      _ = try value()
      guard try take(UInt8(ascii: ",")) else { throw LayerTOCError(.malformed("it has no entries")) }
    }
    // Go writes an empty list as null.
    if try take(UInt8(ascii: "n")) { position = bytes.endIndex } else { try expect(UInt8(ascii: "[")) }
  }

  /// The bytes of the next element; `nil` after the last.
  mutating func next() throws(LayerTOCError) -> ArraySlice<UInt8>? {
    if position == bytes.endIndex { return nil }
    if try take(UInt8(ascii: "]")) {
      position = bytes.endIndex
      return nil
    }
    let element = try value()
    if try !take(UInt8(ascii: ",")) {
      try expect(UInt8(ascii: "]"))
      position = bytes.endIndex
    }
    return element
  }

  private func malformed() -> LayerTOCError {
    LayerTOCError(.malformed("not the JSON of a table of contents at byte \(position - bytes.startIndex)"))
  }

  private mutating func skipSpace() {
    while position < bytes.endIndex, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
  }

  private mutating func take(_ byte: UInt8) throws(LayerTOCError) -> Bool {
    skipSpace()
    guard position < bytes.endIndex else { throw malformed() }
    guard bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ byte: UInt8) throws(LayerTOCError) {
    guard try take(byte) else { throw malformed() }
  }

  /// A string's bytes as they stand, without the quotes.
  private mutating func string() throws(LayerTOCError) -> ArraySlice<UInt8> {
    try expect(UInt8(ascii: "\""))
    let start = position
    while position < bytes.endIndex {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return bytes[start..<position - 1]
      case UInt8(ascii: "\\"): position += 2
      default: position += 1
      }
    }
    position = bytes.endIndex
    throw malformed()
  }

  private mutating func value() throws(LayerTOCError) -> ArraySlice<UInt8> {
    skipSpace()
    let start = position
    var depth = 0
    while position < bytes.endIndex {
      switch bytes[position] {
      case UInt8(ascii: "\""): _ = try string()
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        guard depth <= Self.depthLimit else { throw malformed() }
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return bytes[start..<position] }
        depth -= 1
        position += 1
      case UInt8(ascii: ",") where depth == 0: return bytes[start..<position]
      default: position += 1
      }
      if depth == 0, position < bytes.endIndex, [UInt8(ascii: "}"), UInt8(ascii: "]")].contains(bytes[position - 1]) {
        return bytes[start..<position]
      }
    }
    throw malformed()
  }
}
