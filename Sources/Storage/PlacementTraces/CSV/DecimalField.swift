/// Numbers in fields.
enum DecimalField {
  /// Digits with an optional sign, fraction and exponent; `nil` for all else (also for `nan`, `inf` and hexadecimal).
  static func value(_ bytes: ArraySlice<UInt8>) -> Double? {
    guard let first = bytes.first, bytes.count <= 40 else { return nil }
    var whole: Int64 = 0
    // Nearly all fields are a few digits and perhaps `.0`.
    var rest = bytes
    let isNegative = first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    var digits = 0
    while let byte = rest.first, (48...57).contains(byte), digits < 18 {
      whole = whole * 10 + Int64(byte - 48)
      digits += 1
      rest = rest.dropFirst()
    }
    if digits > 0, rest.isEmpty || (rest.count == 2 && rest.elementsEqual([UInt8(ascii: "."), UInt8(ascii: "0")])) {
      return isNegative ? -Double(whole) : Double(whole)
    }
    let isDecimal = bytes.allSatisfy { byte in
      (48...57).contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
        || byte | 0x20 == UInt8(ascii: "e")
    }
    guard isDecimal, let value = Double(String(decoding: bytes, as: UTF8.self)), value.isFinite else { return nil }
    return value
  }
}
