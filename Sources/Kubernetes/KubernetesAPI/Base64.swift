/// Base64 with padding (RFC 4648, section 4), as `[]byte` fields of the API are written.
public enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The text of the bytes.
  public static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    var group: UInt32 = 0
    var count = 0
    func emit(_ digits: Int) {
      for index in 0..<digits { text.append(alphabet[Int(group >> UInt32(18 - 6 * index) & 63)]) }
    }
    for byte in bytes {
      group |= UInt32(byte) << UInt32(16 - 8 * count)
      count += 1
      if count == 3 {
        emit(4)
        (group, count) = (0, 0)
      }
    }
    if count > 0 {
      emit(count + 1)
      text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - count))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The text with the alphabet for URLs and without padding (RFC 4648, section 5).
  public static func encodeForURL(_ bytes: some Sequence<UInt8>) -> String {
    String(
      encode(bytes).compactMap { character in
        switch character {
        case "+": "-"
        case "/": "_"
        case "=": nil
        default: character
        }
      })
  }

  /// Reads base64url without padding (RFC 4648 section 5); `nil` for anything else.
  public static func decodeFromURL(_ text: some StringProtocol) -> [UInt8]? {
    var standard: [UInt8] = []
    standard.reserveCapacity(text.utf8.count + 3)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
      case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
      case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
      default: standard.append(byte)
      }
    }
    while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
    return decode(String(decoding: standard, as: UTF8.self))
  }

  /// How many bytes `text` stands for; `nil` if it is no base64. Line breaks are allowed, as in Kubernetes.
  public static func decodedCount(_ text: String) -> Int? {
    var digits = 0
    var padding = 0
    for byte in text.utf8 where byte != 0x0A && byte != 0x0D {
      if byte == UInt8(ascii: "=") {
        padding += 1
      } else if padding == 0, alphabetSet.contains(byte) {
        digits += 1
      } else {
        return nil
      }
    }
    guard padding <= 2, (digits + padding) % 4 == 0 else { return nil }
    return (digits + padding) / 4 * 3 - padding
  }

  private static let alphabetSet = Set(alphabet)

  /// The bytes that `text` stands for; `nil` if it is no base64. Line breaks are allowed, as in Kubernetes.
  public static func decode(_ text: String) -> [UInt8]? {
    guard let count = decodedCount(text) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    var bits: UInt32 = 0
    var width: UInt32 = 0
    for byte in text.utf8 {
      guard let digit = digit(byte) else { continue }
      bits = bits << 6 | digit
      width += 6
      guard width >= 8 else { continue }
      width -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> width))
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
