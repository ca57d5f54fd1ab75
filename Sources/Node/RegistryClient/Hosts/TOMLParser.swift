/// Reads the part of TOML 1.0 that configurations of registries are written in: tables, dotted and quoted keys, strings of
/// one line, integers, booleans, arrays and inline tables.
///
/// Not read, and said so: dates, floating-point numbers, strings of several lines, arrays of tables.
public struct TOMLParser {
  /// Why a document can't be read.
  public struct Failure: Error, Hashable, CustomStringConvertible {
    /// 1 is the first.
    public let line: Int
    public let reason: String
    public var description: String { "line \(line): \(reason)" }
  }

  /// Bytes of a document at most.
  public static let limitBytes = 256 << 10
  private static let limitDepth = 16

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var depth = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads a whole document.
  public static func parse(_ bytes: [UInt8]) throws(Failure) -> TOMLTable {
    guard bytes.count <= limitBytes else { throw Failure(line: 1, reason: "larger than \(limitBytes) bytes") }
    guard String(validating: bytes, as: UTF8.self) != nil else { throw Failure(line: 1, reason: "not UTF-8") }
    var parser = TOMLParser(bytes)
    return try parser.document()
  }

  private func fail(_ reason: String) -> Failure { Failure(line: line, reason: reason) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func document() throws(Failure) -> TOMLTable {
    var root = TOMLTable()
    var prefix: [String] = []
    while true {
      skipBlank(overLines: true)
      guard let byte = next else { return root }
      if byte == UInt8(ascii: "[") {
        position += 1
        if next == UInt8(ascii: "[") { throw fail("arrays of tables are not supported") }
        prefix = try key()
        try expect(UInt8(ascii: "]"))
        guard root.define(prefix[...]) else { throw fail("[\(prefix.joined(separator: "."))] is there already") }
      } else {
        let path = prefix + (try key())
        try expect(UInt8(ascii: "="))
        guard path.count <= Self.limitDepth else { throw fail("nested too deep") }
        let value = try value()
        guard root.insert(value, at: path[...]) else { throw fail("\(path.joined(separator: ".")) is there already") }
      }
      skipBlank(overLines: false)
      guard next == nil || next == 0x0A || next == 0x0D else { throw fail("something follows the value") }
    }
  }

  /// Skips spaces and comments, and line ends if wanted.
  private mutating func skipBlank(overLines: Bool) {
    while let byte = next {
      switch byte {
      case 0x20, 0x09: position += 1
      case 0x0D where overLines: position += 1
      case 0x0A where overLines:
        position += 1
        line += 1
      case UInt8(ascii: "#"): while let byte = next, byte != 0x0A { position += 1 }
      default: return
      }
    }
  }

  private mutating func expect(_ byte: UInt8) throws(Failure) {
    skipBlank(overLines: false)
    guard next == byte else { throw fail("\(Character(UnicodeScalar(byte))) is missing") }
    position += 1
  }

  /// `a`, `a.b`, `host."https://mirror"`
  private mutating func key() throws(Failure) -> [String] {
    var parts: [String] = []
    while true {
      skipBlank(overLines: false)
      guard let byte = next else { throw fail("a key is missing") }
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        parts.append(try string())
      } else {
        let start = position
        while let byte = next, Self.isBare(byte) { position += 1 }
        guard position > start else { throw fail("a key is missing") }
        parts.append(String(decoding: bytes[start..<position], as: UTF8.self))
      }
      guard parts.count <= Self.limitDepth else { throw fail("nested too deep") }
      skipBlank(overLines: false)
      guard next == UInt8(ascii: ".") else { return parts }
      position += 1
    }
  }

  private static func isBare(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...122).contains(byte | 0x20) || byte == UInt8(ascii: "_")
      || byte == UInt8(ascii: "-")
  }

  private mutating func value() throws(Failure) -> TOMLValue {
    skipBlank(overLines: false)
    guard depth < Self.limitDepth else { throw fail("nested too deep") }
    depth += 1
    defer { depth -= 1 }
    switch next {
    case UInt8(ascii: "\"")?, UInt8(ascii: "'")?: return .string(try string())
    case UInt8(ascii: "[")?: return .array(try array())
    case UInt8(ascii: "{")?: return .table(try inlineTable())
    case nil: throw fail("a value is missing")
    default: return try word()
    }
  }

  private mutating func word() throws(Failure) -> TOMLValue {
    let start = position
    while let byte = next,
      Self.isBare(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: ":")
    { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    switch text {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "": throw fail("a value is missing")
    default: break
    }
    // Underscores stand between digits only.
    let digits = text.split(separator: "_", omittingEmptySubsequences: false)
    guard digits.allSatisfy({ !$0.isEmpty }), let number = Int64(digits.joined()) else {
      throw fail("\"\(text)\" is no value that is supported (strings, whole numbers, true, false, arrays, tables)")
    }
    return .integer(number)
  }

  private mutating func array() throws(Failure) -> [TOMLValue] {
    position += 1
    var elements: [TOMLValue] = []
    while true {
      skipBlank(overLines: true)
      if next == UInt8(ascii: "]") { break }
      elements.append(try value())
      skipBlank(overLines: true)
      if next == UInt8(ascii: "]") { break }
      guard next == UInt8(ascii: ",") else { throw fail("the array does not end") }
      position += 1
    }
    position += 1
    return elements
  }

  private mutating func inlineTable() throws(Failure) -> TOMLTable {
    position += 1
    var table = TOMLTable()
    skipBlank(overLines: false)
    while next != UInt8(ascii: "}") {
      let path = try key()
      try expect(UInt8(ascii: "="))
      let value = try value()
      guard table.insert(value, at: path[...]) else { throw fail("\(path.joined(separator: ".")) is there already") }
      skipBlank(overLines: false)
      if next == UInt8(ascii: "}") { break }
      try expect(UInt8(ascii: ","))
    }
    position += 1
    table.close()
    return table
  }

  /// A basic (`"`, with escapes) or literal (`'`) string of one line.
  private mutating func string() throws(Failure) -> String {
    let quote = bytes[position]
    if position + 2 < bytes.count, bytes[position + 1] == quote, bytes[position + 2] == quote {
      throw fail("strings of several lines are not supported")
    }
    position += 1
    var text: [UInt8] = []
    while let byte = next, byte != 0x0A {
      position += 1
      if byte == quote { return String(decoding: text, as: UTF8.self) }
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        text += try escape()
      } else if byte < 0x20 && byte != 0x09 || byte == 0x7F {
        throw fail("a control character in a string")
      } else {
        text.append(byte)
      }
    }
    throw fail("the string does not end")
  }

  private mutating func escape() throws(Failure) -> [UInt8] {
    guard let byte = next else { throw fail("the string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): return [byte]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "u"), UInt8(ascii: "U"):
      let count = byte == UInt8(ascii: "u") ? 4 : 8
      let digits = String(decoding: bytes[position..<min(bytes.count, position + count)], as: UTF8.self)
      guard digits.utf8.count == count, !digits.hasPrefix("+"), let number = UInt32(digits, radix: 16),
        let scalar = UnicodeScalar(number)
      else { throw fail("no character has this number") }
      position += count
      return Array(String(Character(scalar)).utf8)
    default: throw fail("unknown escape in a string")
    }
  }
}
