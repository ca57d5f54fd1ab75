/// An object's uid in 16 bytes instead of 36 characters.
struct UID: Sendable, Hashable {
  let high: UInt64
  let low: UInt64

  /// A new random one (RFC 9562, version 4).
  static func random() -> UID {
    UID(
      high: UInt64.random(in: .min ... .max) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000,
      low: UInt64.random(in: .min ... .max) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Reads the usual form. Any other text (owner references may hold anything) gets a value of its own by hashing;
  /// the server makes only the usual form, so such a value never meets an object's.
  init(_ text: String) {
    var value: (UInt64, UInt64) = (0, 0)
    var digits = 0
    var isUsual = text.utf8.count == 36
    var hash: (UInt64, UInt64) = (0xCBF2_9CE4_8422_2325, 0x8422_2325_CBF2_9CE4)
    for byte in text.utf8 {
      hash.0 = (hash.0 ^ UInt64(byte)) &* 0x100_0000_01B3
      hash.1 = (hash.1 &+ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
      let digit: UInt64
      switch byte {
      case UInt8(ascii: "-"): continue
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt64(byte - UInt8(ascii: "a") + 10)
      default:
        isUsual = false
        continue
      }
      if digits < 16 { value.0 = value.0 << 4 | digit } else { value.1 = value.1 << 4 | digit }
      digits += 1
    }
    self = isUsual && digits == 32 ? UID(high: value.0, low: value.1) : UID(high: hash.0, low: hash.1)
  }

  /// `8-4-4-4-12` hexadecimal digits.
  var text: String {
    func hex(_ value: UInt64, _ digits: Int) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    return [
      hex(high >> 32, 8), hex(high >> 16 & 0xFFFF, 4), hex(high & 0xFFFF, 4), hex(low >> 48, 4),
      hex(low & 0xFFFF_FFFF_FFFF, 12),
    ].joined(separator: "-")
  }
}
