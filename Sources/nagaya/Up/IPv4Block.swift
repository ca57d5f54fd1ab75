/// A block of IPv4 addresses in CIDR form (RFC 4632): `10.244.0.0/16`.
struct IPv4Block: Hashable, Sendable, CustomStringConvertible {
  private let base: UInt32
  private let bits: Int

  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let bits = Int(parts[1]), (1...32).contains(bits) else { return nil }
    let octets = parts[0].split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
    guard octets.count == 4, parts[0].count(where: { $0 == "." }) == 3 else { return nil }
    self.bits = bits
    base = octets.reduce(0) { $0 << 8 | UInt32($1) } & (UInt32.max << (32 - bits))
  }

  func overlaps(_ other: IPv4Block) -> Bool {
    let mask = UInt32.max << (32 - min(bits, other.bits))
    return base & mask == other.base & mask
  }

  var description: String {
    stride(from: 24, through: 0, by: -8).map { String(base >> UInt32($0) & 255) }.joined(separator: ".") + "/\(bits)"
  }
}
