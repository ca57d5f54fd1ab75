/// Finds values inside canonical, already validated JSON bytes without building a tree.
///
/// For bytes that `JSONValue.encoded()` made: they are well-formed, so the scanner only looks for structure.
/// On other bytes it returns `nil` or a wrong range, but never reads outside the buffer.
public enum JSONScanner {
  /// The range of the value at `path`, through objects only; `nil` if something on the way is missing.
  public static func range(of path: [StaticString], in bytes: [UInt8]) -> Range<Int>? {
    bytes.withUnsafeBufferPointer { buffer in
      var position = 0
      for key in path {
        guard let next = member(key, of: position, in: buffer) else { return nil }
        position = next
      }
      guard let end = skip(position, in: buffer) else { return nil }
      return position..<end
    }
  }

  /// The tree of only the value at `path`.
  public static func value(at path: [StaticString], in bytes: [UInt8]) -> JSONValue? {
    guard let range = range(of: path, in: bytes) else { return nil }
    return try? JSONValue(parsing: bytes[range])
  }

  /// The string at `path`.
  public static func string(at path: [StaticString], in bytes: [UInt8]) -> String? {
    value(at: path, in: bytes)?.string
  }

  /// Where the value of `key` begins in the object at `start`.
  private static func member(
    _ key: StaticString, of start: Int, in buffer: UnsafeBufferPointer<UInt8>
  ) -> Int? {
    guard start < buffer.count, buffer[start] == UInt8(ascii: "{") else { return nil }
    let length = key.utf8CodeUnitCount
    var position = start + 1
    while position < buffer.count, buffer[position] == UInt8(ascii: "\"") {
      guard let keyEnd = skipString(position, in: buffer), keyEnd < buffer.count else { return nil }
      let matches =
        keyEnd - position - 2 == length
        && (0..<length).allSatisfy { buffer[position + 1 + $0] == key.utf8Start[$0] }
      if matches { return keyEnd + 1 }
      guard let end = skip(keyEnd + 1, in: buffer), end < buffer.count,
        buffer[end] == UInt8(ascii: ",")
      else { return nil }
      position = end + 1
    }
    return nil
  }

  /// The end of the value that begins at `start`.
  private static func skip(_ start: Int, in buffer: UnsafeBufferPointer<UInt8>) -> Int? {
    guard start < buffer.count else { return nil }
    switch buffer[start] {
    case UInt8(ascii: "\""): return skipString(start, in: buffer)
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      var depth = 0
      var position = start
      while position < buffer.count {
        switch buffer[position] {
        case UInt8(ascii: "\""):
          guard let end = skipString(position, in: buffer) else { return nil }
          position = end
          continue
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          depth -= 1
          if depth == 0 { return position + 1 }
        default: break
        }
        position += 1
      }
      return nil
    default:
      var position = start
      while position < buffer.count {
        switch buffer[position] {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"): return position
        default: position += 1
        }
      }
      return position
    }
  }

  private static func skipString(_ start: Int, in buffer: UnsafeBufferPointer<UInt8>) -> Int? {
    var position = start + 1
    while position < buffer.count {
      switch buffer[position] {
      case UInt8(ascii: "\""): return position + 1
      case UInt8(ascii: "\\"): position += 2
      default: position += 1
      }
    }
    return nil
  }
}
