/// Reads the fields of one protobuf message (protobuf.dev, "Encoding"); bounds are checked before every read.
struct ProtobufReader {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed32(UInt32)
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next field, or `nil` at the end of the message.
  mutating func next() throws(KubernetesProtobuf.Failure) -> (number: Int, value: Value)? {
    guard !rest.isEmpty else { return nil }
    let key = try varint()
    guard let number = Int(exactly: key >> 3), (1...0x1FFF_FFFF).contains(number) else {
      throw .malformed("a field has no valid number")
    }
    switch key & 7 {
    case 0: return (number, .varint(try varint()))
    case 1: return (number, .fixed64(try fixed(8)))
    case 2:
      let count = try varint()
      guard count <= UInt64(rest.count) else { throw .malformed("a field is longer than its message") }
      defer { rest = rest.dropFirst(Int(count)) }
      return (number, .bytes(rest.prefix(Int(count))))
    case 5: return (number, .fixed32(UInt32(try fixed(4))))
    default: throw .malformed("unknown wire type \(key & 7)")
    }
  }

  /// Whether the message has come to its end.
  var isAtEnd: Bool { rest.isEmpty }

  mutating func varint() throws(KubernetesProtobuf.Failure) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { throw .malformed("a number ends too early") }
      // Of the tenth byte only one bit is left.
      if shift == 63, byte > 1 { break }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw .malformed("a number has more than 64 bits")
  }

  private mutating func fixed(_ count: Int) throws(KubernetesProtobuf.Failure) -> UInt64 {
    guard rest.count >= count else { throw .malformed("a number ends too early") }
    let value = rest.prefix(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    rest = rest.dropFirst(count)
    return value
  }
}
