/// Percent-encoding of paths and queries (RFC 3986).
enum URLText {
  /// A path whose segments are plain text: slashes stay, everything else that is not unreserved is encoded.
  static func encode(path: String) -> String {
    path.split(separator: "/", omittingEmptySubsequences: false).map { encode($0) }.joined(separator: "/")
  }

  static func encode(query: [(name: String, value: String)]) -> String {
    query.map { "\(encode($0.name))=\(encode($0.value))" }.joined(separator: "&")
  }

  private static func encode(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: ":"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
