/// One header block, its fields read but not judged.
struct RawTarHeader {
  let path: String
  let link: String
  let type: UInt8
  let mode: UInt32
  let uid: Int64
  let gid: Int64
  let size: Int64
  let time: Int64
  let major: UInt32
  let minor: UInt32

  init(_ block: [UInt8], isFirst: Bool) throws(TarError) {
    func text(_ range: Range<Int>) -> String { String(decoding: Array(block[range]).prefixToZero, as: UTF8.self) }
    var path = text(0..<100)
    let magic = Array(block[257..<263])
    if magic == Array("ustar\u{0}".utf8) {
      let prefix = text(345..<500)
      if !prefix.isEmpty { path = "\(prefix)/\(path)" }
    }
    let sum = try? Self.number(block[148..<156], "checksum", path)
    guard sum == Int64(TarHeader.checksum(block[...])) else {
      throw TarError(isFirst ? .notATar : .badChecksum, path: isFirst ? "" : path)
    }
    self.path = path
    link = text(157..<257)
    type = block[156]
    mode = UInt32(truncatingIfNeeded: try Self.number(block[100..<108], "mode", path))
    uid = try Self.number(block[108..<116], "uid", path)
    gid = try Self.number(block[116..<124], "gid", path)
    size = try Self.number(block[124..<136], "size", path)
    time = try Self.number(block[136..<148], "mtime", path)
    guard size >= 0 else { throw TarError(.badNumber(field: "size"), path: path) }
    let isDevice = type == UInt8(ascii: "3") || type == UInt8(ascii: "4")
    major = isDevice ? UInt32(truncatingIfNeeded: try Self.number(block[329..<337], "devmajor", path)) : 0
    minor = isDevice ? UInt32(truncatingIfNeeded: try Self.number(block[337..<345], "devminor", path)) : 0
  }

  /// Octal digits among spaces and zero bytes, or base 256 when the first bit is set (GNU).
  private static func number(_ field: ArraySlice<UInt8>, _ name: String, _ path: String) throws(TarError) -> Int64 {
    guard let first = field.first else { return 0 }
    if first & 0x80 != 0 {
      var value: Int64 = first & 0x40 != 0 ? -1 : 0
      for (index, byte) in field.enumerated() {
        let bits = index == 0 ? Int64(byte & 0x3F) : Int64(byte)
        if index == 0 {
          value = value << 6 | bits
          continue
        }
        guard value.magnitude < 1 << 54 else { throw TarError(.badNumber(field: name), path: path) }
        value = value << 8 | bits
      }
      return value
    }
    var value: Int64 = 0
    for byte in field.drop(while: { $0 == 0x20 }) {
      if byte == 0 || byte == 0x20 { break }
      guard (48...55).contains(byte) else { throw TarError(.badNumber(field: name), path: path) }
      value = value << 3 | Int64(byte - 48)
    }
    return value
  }
}

/// Records of pax extended headers: `LENGTH KEY=VALUE\n`.
enum PaxRecords {
  static func read(_ bytes: [UInt8], into records: inout [String: [UInt8]]) throws(TarError) {
    var position = 0
    while position < bytes.count {
      guard let space = bytes[position...].prefix(20).firstIndex(of: 0x20),
        let length = Int(String(decoding: bytes[position..<space], as: UTF8.self)), length > 0,
        length <= bytes.count - position, position + length > space + 2,
        bytes[position + length - 1] == UInt8(ascii: "\n"),
        let equals = bytes[space..<position + length].firstIndex(of: UInt8(ascii: "="))
      else { throw TarError(.badExtendedHeader) }
      let key = String(decoding: bytes[space + 1..<equals], as: UTF8.self)
      let value = Array(bytes[equals + 1..<position + length - 1])
      if key.hasPrefix("GNU.sparse") { throw TarError(.unsupported(type: UInt8(ascii: "S"))) }
      // An empty value takes the record back.
      if value.isEmpty && !key.hasPrefix("SCHILY.xattr.") { records[key] = nil } else { records[key] = value }
      position += length
    }
  }

  static func text(_ value: [UInt8]?) -> String? { value.map { String(decoding: $0, as: UTF8.self) } }

  /// A whole number; a fraction (of a time) is cut off.
  static func number(_ value: [UInt8]?) throws(TarError) -> Int64? {
    guard let value else { return nil }
    let text = String(decoding: value.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
    guard let number = Int64(text), number > -(1 << 60), number < 1 << 60 else { throw TarError(.badExtendedHeader) }
    return number
  }
}

extension [UInt8] {
  /// Everything before the first zero byte.
  var prefixToZero: [UInt8] { Array(prefix { $0 != 0 }) }
}
