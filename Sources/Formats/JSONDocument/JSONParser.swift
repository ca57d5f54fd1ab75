extension JSONValue {
  /// Parses a whole document (RFC 8259; nothing may follow it but white space).
  public init(parsing bytes: some Sequence<UInt8>, limits: JSONLimits = JSONLimits())
    throws(JSONError)
  {
    var ignored: [String] = []
    try self.init(parsing: bytes, limits: limits, duplicateKeys: &ignored)
  }

  /// Parses a whole document and collects the paths of members that occur twice (the last one is kept); of many, the
  /// first `JSONParser.maximumDuplicates`.
  public init(
    parsing bytes: some Sequence<UInt8>, limits: JSONLimits = JSONLimits(),
    duplicateKeys: inout [String]
  ) throws(JSONError) {
    func parse(_ buffer: UnsafeBufferPointer<UInt8>) -> Result<(JSONValue, [String]), JSONError> {
      var parser = JSONParser(buffer: buffer, limits: limits)
      do throws(JSONError) { return .success((try parser.document(), parser.duplicateKeys)) } catch {
        return .failure(error)
      }
    }
    let result =
      bytes.withContiguousStorageIfAvailable(parse)
      ?? Array(bytes).withUnsafeBufferPointer(parse)
    let (value, duplicates) = try result.get()
    self = value
    duplicateKeys = duplicates
  }

  public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), limits: limits)
  }
}

/// A recursive-descent parser over contiguous bytes; depth and size are checked before memory is spent.
struct JSONParser {
  let buffer: UnsafeBufferPointer<UInt8>
  let limits: JSONLimits
  var position = 0
  var path: [String] = []
  var duplicateKeys: [String] = []
  private var valuesLeft: Int

  /// Paths of duplicates that are collected, and bytes of each key within them that are shown: a long key with many
  /// duplicates below it would else become a path as long for each of them.
  static let maximumDuplicates = 100
  private static let shownKeyBytes = 100

  init(buffer: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
    self.buffer = buffer
    self.limits = limits
    valuesLeft = limits.values
  }

  mutating func document() throws(JSONError) -> JSONValue {
    guard buffer.count <= limits.bytes else {
      throw JSONError(reason: .tooLarge(limit: limits.bytes), offset: limits.bytes)
    }
    let value = try self.value(depth: 0)
    skipWhitespace()
    guard position == buffer.count else { throw fail(.trailingBytes) }
    return value
  }

  /// `spec.containers[0].name`
  private var pathText: String {
    path.reduce(into: "") { text, part in
      let shown =
        part.utf8.count <= Self.shownKeyBytes
        ? part : "\(String(decoding: part.utf8.prefix(Self.shownKeyBytes), as: UTF8.self))…"
      text += text.isEmpty || part.hasPrefix("[") ? shown : ".\(shown)"
    }
  }

  private func fail(_ reason: JSONError.Reason) -> JSONError {
    JSONError(reason: reason, offset: position)
  }

  private mutating func skipWhitespace() {
    while position < buffer.count {
      switch buffer[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private func peek() throws(JSONError) -> UInt8 {
    guard position < buffer.count else { throw fail(.unexpectedEnd) }
    return buffer[position]
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    skipWhitespace()
    valuesLeft -= 1
    guard valuesLeft >= 0 else { throw fail(.tooManyValues(limit: limits.values)) }
    switch try peek() {
    case UInt8(ascii: "{"): return try object(depth: depth + 1)
    case UInt8(ascii: "["): return try array(depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case let byte: throw fail(.unexpectedByte(byte))
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError)
    -> JSONValue
  {
    let count = text.utf8CodeUnitCount
    for index in 0..<count {
      guard position < buffer.count else { throw fail(.unexpectedEnd) }
      guard buffer[position] == text.utf8Start[index] else {
        throw fail(.unexpectedByte(buffer[position]))
      }
      position += 1
    }
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= limits.depth else { throw fail(.tooDeep(limit: limits.depth)) }
    position += 1
    var members: [String: JSONValue] = [:]
    skipWhitespace()
    if try peek() == UInt8(ascii: "}") {
      position += 1
      return .object(members)
    }
    while true {
      skipWhitespace()
      let first = try peek()
      guard first == UInt8(ascii: "\"") else { throw fail(.unexpectedByte(first)) }
      let key = try string()
      skipWhitespace()
      let colon = try peek()
      guard colon == UInt8(ascii: ":") else { throw fail(.unexpectedByte(colon)) }
      position += 1
      path.append(key)
      let value = try self.value(depth: depth)
      if members.updateValue(value, forKey: key) != nil, duplicateKeys.count < Self.maximumDuplicates {
        duplicateKeys.append(pathText)
      }
      path.removeLast()
      skipWhitespace()
      switch try peek() {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "}"):
        position += 1
        return .object(members)
      case let byte: throw fail(.unexpectedByte(byte))
      }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= limits.depth else { throw fail(.tooDeep(limit: limits.depth)) }
    position += 1
    var elements: [JSONValue] = []
    skipWhitespace()
    if try peek() == UInt8(ascii: "]") {
      position += 1
      return .array(elements)
    }
    while true {
      path.append("[\(elements.count)]")
      elements.append(try value(depth: depth))
      path.removeLast()
      skipWhitespace()
      switch try peek() {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "]"):
        position += 1
        return .array(elements)
      case let byte: throw fail(.unexpectedByte(byte))
      }
    }
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    var isInteger = true
    if buffer[position] == UInt8(ascii: "-") { position += 1 }
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    func skipDigits() -> Int {
      var end = position
      while end < buffer.count, digits.contains(buffer[end]) { end += 1 }
      return end - position
    }
    let whole = skipDigits()
    guard whole > 0, whole == 1 || buffer[position] != UInt8(ascii: "0") else {
      throw fail(.invalidNumber)
    }
    position += whole
    if position < buffer.count, buffer[position] == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      let fraction = skipDigits()
      guard fraction > 0 else { throw fail(.invalidNumber) }
      position += fraction
    }
    if position < buffer.count, buffer[position] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if position < buffer.count,
        buffer[position] == UInt8(ascii: "+") || buffer[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      let exponent = skipDigits()
      guard exponent > 0 else { throw fail(.invalidNumber) }
      position += exponent
    }
    let text = String(decoding: buffer[start..<position], as: UTF8.self)
    if isInteger, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw fail(.invalidNumber) }
    // 1e3 and 1000 are the same number and have the same canonical bytes, so they are the same value, too.
    if abs(value) < JSONWriter.wholeLimit, let whole = Int64(exactly: value) { return .integer(whole) }
    return .number(value)
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < buffer.count {
      switch buffer[position] {
      case UInt8(ascii: "\""):
        let end = position
        guard let text = String(validating: buffer[start..<end], as: UTF8.self) else {
          throw fail(.invalidUTF8)
        }
        position += 1
        return text
      case UInt8(ascii: "\\"):
        return try escapedString(from: start)
      case 0..<0x20: throw fail(.controlCharacterInString)
      default: position += 1
      }
    }
    throw fail(.unexpectedEnd)
  }

  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var bytes = Array(buffer[start..<position])
    while position < buffer.count {
      let byte = buffer[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: bytes, as: UTF8.self) else { throw fail(.invalidUTF8) }
        return text
      case UInt8(ascii: "\\"): try escape(into: &bytes)
      case 0..<0x20: throw fail(.controlCharacterInString)
      default: bytes.append(byte)
      }
    }
    throw fail(.unexpectedEnd)
  }

  private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
    let byte = try peek()
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code) {
        // A high surrogate: its low half must follow.
        guard position + 1 < buffer.count, buffer[position] == UInt8(ascii: "\\"),
          buffer[position + 1] == UInt8(ascii: "u")
        else { throw fail(.invalidEscape) }
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw fail(.invalidEscape) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = UnicodeScalar(code) else { throw fail(.invalidEscape) }
      bytes.append(contentsOf: String(Character(scalar)).utf8)
    default: throw fail(.invalidEscape)
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    guard position + 4 <= buffer.count else { throw fail(.unexpectedEnd) }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(UnicodeScalar(buffer[position])).hexDigitValue else {
        throw fail(.invalidEscape)
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}
