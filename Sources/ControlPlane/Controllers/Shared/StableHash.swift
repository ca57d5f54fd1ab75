/// A hash that is the same in every process and version, for names.
enum StableHash {
  /// FNV-1a, 64 bits, with the finaliser of MurmurHash3, because FNV alone spreads similar names badly.
  static func value(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash >> 33)
  }

  /// Letters and digits that make no words.
  private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")

  static func text(_ hash: UInt64, length: Int = 10) -> String {
    var rest = hash
    var text = ""
    for _ in 0..<length {
      text.append(alphabet[Int(rest % UInt64(alphabet.count))])
      rest /= UInt64(alphabet.count)
    }
    return text
  }

  /// A suffix for a name that must be new.
  static func randomSuffix() -> String { text(.random(in: .min ... .max), length: 5) }
}
