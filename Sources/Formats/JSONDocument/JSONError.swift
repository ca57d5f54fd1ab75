/// Why bytes are not an acceptable JSON document.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case unexpectedEnd
    case unexpectedByte(UInt8)
    case invalidNumber
    case invalidEscape
    case invalidUTF8
    case controlCharacterInString
    case trailingBytes
    case tooDeep(limit: Int)
    case tooLarge(limit: Int)
    case tooManyValues(limit: Int)
  }

  public let reason: Reason
  /// Bytes from the beginning of the document.
  public let offset: Int

  public init(reason: Reason, offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String {
    let what =
      switch reason {
      case .unexpectedEnd: "the document ends too early"
      case .unexpectedByte(let byte): "unexpected \(Self.show(byte))"
      case .invalidNumber: "not a valid number"
      case .invalidEscape: "not a valid escape sequence in a string"
      case .invalidUTF8: "a string is not valid UTF-8"
      case .controlCharacterInString: "a string contains an unescaped control character"
      case .trailingBytes: "bytes follow the end of the document"
      case .tooDeep(let limit): "nested deeper than \(limit) levels"
      case .tooLarge(let limit): "larger than \(limit) bytes"
      case .tooManyValues(let limit): "more than \(limit) values"
      }
    return "invalid JSON at byte \(offset): \(what)"
  }

  private static func show(_ byte: UInt8) -> String {
    (0x21...0x7E).contains(byte)
      ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
  }
}

/// Bounds of what the parser takes, so that hostile input costs little.
public struct JSONLimits: Sendable, Hashable {
  /// Levels of nesting of arrays and objects.
  public var depth: Int
  /// Bytes of a document.
  public var bytes: Int
  /// Values of a document, those within others included: a tree takes some hundred bytes for each, a text but two.
  public var values: Int

  public init(depth: Int = 100, bytes: Int = 3 << 20, values: Int = .max) {
    self.depth = depth
    self.bytes = bytes
    self.values = values
  }
}
