/// The rule for names of volumes: they become names of files.
enum VolumeName {
  /// Letters, digits, `-`, `_`, `.`; the first one a letter or digit; 1 to 128 characters. So neither `/` nor `..`
  /// nor hidden or unfinished files can be named.
  static func isValid(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 48...57: true
      default: false
      }
    }
    guard (1...128).contains(bytes.count), isAlphanumeric(bytes[0]) else { return false }
    return bytes.allSatisfy {
      isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
    }
  }
}
