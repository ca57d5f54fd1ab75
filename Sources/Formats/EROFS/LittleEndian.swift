/// Bytes of the on-disk format, which is little-endian throughout.
extension [UInt8] {
  mutating func append<Value: FixedWidthInteger>(little value: Value) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  mutating func append(zeros count: Int) {
    if count > 0 { append(contentsOf: repeatElement(0, count: count)) }
  }
}

extension FixedWidthInteger {
  /// The next multiple of a power of two.
  func aligned(to unit: Self) -> Self { (self + unit - 1) & ~(unit - 1) }
}

/// CRC-32C as the superblock has it (RFC 3720 appendix B.4): reflected, all ones at first, not inverted at the end.
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
  }

  static func value(of bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.reduce(0xFFFF_FFFF) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }
}
