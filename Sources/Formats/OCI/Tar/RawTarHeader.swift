/// One header block, its fields read but not judged.
struct RawTarHeader {
  let path: [UInt8]
  let link: [UInt8]
  let type: UInt8
  let mode: UInt32
  let uid: Int64
  let gid: Int64
  let size: Int64
  let time: Int64
  let major: UInt32
  let minor: UInt32

  init(_ block: ArraySlice<UInt8>, isFirst: Bool) throws(TarError) {
    let start = block.startIndex
    func field(_ range: Range<Int>) -> ArraySlice<UInt8> { block[start + range.lowerBound..<start + range.upperBound] }
    func text(_ range: Range<Int>) -> [UInt8] { Array(field(range).prefix { $0 != 0 }) }
    var path = text(0..<100)
    // GNU's own magic has spaces instead, and times where the standard has the prefix.
    if field(257..<263).elementsEqual("ustar\u{0}".utf8) {
      let prefix = text(345..<500)
      if !prefix.isEmpty { path = prefix + [LayerPath.slash] + path }
    }
    let sum = try? Self.number(field(148..<156), "checksum", path)
    guard sum == Int64(TarHeader.checksum(block)) else {
      throw TarError(isFirst ? .notATar : .badChecksum, path: isFirst ? "" : TarError.text(path))
    }
    self.path = path
    link = text(157..<257)
    type = block[start + 156]
    mode = UInt32(truncatingIfNeeded: try Self.number(field(100..<108), "mode", path))
    uid = try Self.number(field(108..<116), "uid", path)
    gid = try Self.number(field(116..<124), "gid", path)
    size = try Self.number(field(124..<136), "size", path)
    time = try Self.number(field(136..<148), "mtime", path)
    guard size >= 0 else { throw TarError(.badNumber(field: "size"), path: TarError.text(path)) }
    let isDevice = type == UInt8(ascii: "3") || type == UInt8(ascii: "4")
    major = isDevice ? UInt32(truncatingIfNeeded: try Self.number(field(329..<337), "devmajor", path)) : 0
    minor = isDevice ? UInt32(truncatingIfNeeded: try Self.number(field(337..<345), "devminor", path)) : 0
  }

  /// Octal digits among spaces and zero bytes, or base 256 when the first bit is set (GNU).
  private static func number(_ field: ArraySlice<UInt8>, _ name: String, _ path: [UInt8]) throws(TarError) -> Int64 {
    guard let first = field.first else { return 0 }
    func bad() -> TarError { TarError(.badNumber(field: name), path: TarError.text(path)) }
    if first & 0x80 != 0 {
      var value: Int64 = first & 0x40 != 0 ? -1 << 6 | Int64(first & 0x3F) : Int64(first & 0x3F)
      for byte in field.dropFirst() {
        guard value.magnitude < 1 << 54 else { throw bad() }
        value = value << 8 | Int64(byte)
      }
      return value
    }
    var value: Int64 = 0
    for byte in field.drop(while: { $0 == 0x20 }) {
      if byte == 0 || byte == 0x20 { break }
      guard (48...55).contains(byte) else { throw bad() }
      value = value << 3 | Int64(byte - 48)
    }
    return value
  }
}
