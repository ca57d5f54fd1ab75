extension JSONValue {
  /// The document's canonical bytes: members in the order of their keys, no white space.
  public func encoded() -> [UInt8] {
    var writer = JSONWriter()
    writer.write(self)
    return writer.bytes
  }

  /// The document for people: indented by two spaces, members in the order of their keys.
  public func encodedForReading() -> [UInt8] {
    var writer = JSONWriter()
    writer.writeIndented(self, level: 0)
    writer.bytes.append(UInt8(ascii: "\n"))
    return writer.bytes
  }

  /// Canonical bytes with the string at `path` left empty, and where its characters belong.
  ///
  /// The store uses it to finish an object's bytes with the resourceVersion that only the commit knows.
  /// - Returns: the bytes, in which the value at `path` is `""`, and the offset between its two quotes;
  ///   `nil` as offset if the path leads nowhere.
  public func encoded(withHoleAt path: [String]) -> (bytes: [UInt8], hole: Int?) {
    var writer = JSONWriter()
    writer.hole = path[...]
    writer.write(self)
    return (writer.bytes, writer.holeOffset)
  }
}

/// Appends JSON to a byte array.
struct JSONWriter {
  var bytes: [UInt8] = []
  /// What is left of the path to the hole, seen from the value being written.
  var hole: ArraySlice<String>?
  var holeOffset: Int?

  init() { bytes.reserveCapacity(1024) }

  /// Below it, numbers without a fraction are written without one.
  static let wholeLimit = 1e15

  mutating func write(_ value: JSONValue) {
    switch value {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let number): bytes.append(contentsOf: String(number).utf8)
    case .number(let number): write(number)
    case .string(let text): write(text)
    case .array(let elements):
      let outer = hole
      hole = nil
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        write(element)
      }
      bytes.append(UInt8(ascii: "]"))
      hole = outer
    case .object(let members):
      let outer = hole
      bytes.append(UInt8(ascii: "{"))
      for (index, (key, member)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        write(key)
        bytes.append(UInt8(ascii: ":"))
        hole = outer?.first == key ? outer?.dropFirst() : nil
        if let hole, hole.isEmpty {
          append("\"")
          holeOffset = bytes.count
          append("\"")
        } else {
          write(member)
        }
      }
      hole = outer
      bytes.append(UInt8(ascii: "}"))
    }
  }

  mutating func writeIndented(_ value: JSONValue, level: Int) {
    func indent(_ writer: inout JSONWriter, _ level: Int) {
      writer.bytes.append(UInt8(ascii: "\n"))
      writer.bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: level * 2))
    }
    switch value {
    case .array(let elements) where !elements.isEmpty:
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        indent(&self, level + 1)
        writeIndented(element, level: level + 1)
      }
      indent(&self, level)
      bytes.append(UInt8(ascii: "]"))
    case .object(let members) where !members.isEmpty:
      bytes.append(UInt8(ascii: "{"))
      for (index, (key, member)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        indent(&self, level + 1)
        write(key)
        append(": ")
        writeIndented(member, level: level + 1)
      }
      indent(&self, level)
      bytes.append(UInt8(ascii: "}"))
    default: write(value)
    }
  }

  private mutating func append(_ text: StaticString) {
    bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func write(_ number: Double) {
    guard number.isFinite else { return append("null") }
    if abs(number) < Self.wholeLimit, let whole = Int64(exactly: number) {
      bytes.append(contentsOf: String(whole).utf8)
    } else {
      bytes.append(contentsOf: String(number).utf8)
    }
  }

  private mutating func write(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case 0..<0x20:
        append("\\u00")
        let digits = String(byte, radix: 16)
        if digits.utf8.count == 1 { bytes.append(UInt8(ascii: "0")) }
        bytes.append(contentsOf: digits.utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
