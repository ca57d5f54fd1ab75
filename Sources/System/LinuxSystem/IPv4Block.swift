/// A block of IPv4 addresses in CIDR form (RFC 4632): `10.244.0.0/16`.
public struct IPv4Block: Hashable, Sendable, CustomStringConvertible {
  private let base: UInt32
  private let bits: Int

  /// - Returns: `nil` for what is no block, and for one without a prefix (`/0`).
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let bits = Int(parts[1]), (1...32).contains(bits) else { return nil }
    guard let address = Self.address(parts[0]) else { return nil }
    self.bits = bits
    base = address & (UInt32.max << (32 - bits))
  }

  /// A dotted IPv4 address as a number, the first octet highest; `nil` for anything else.
  public static func address(_ text: some StringProtocol) -> UInt32? {
    let octets = text.split(separator: ".", omittingEmptySubsequences: false)
    guard octets.count == 4 else { return nil }
    var address: UInt32 = 0
    for octet in octets {
      guard octet.utf8.count <= 3, octet.utf8.allSatisfy({ (48...57).contains($0) }), let value = UInt8(octet) else {
        return nil
      }
      address = address << 8 | UInt32(value)
    }
    return address
  }

  /// A number as a dotted address.
  public static func text(_ address: UInt32) -> String {
    stride(from: 24, through: 0, by: -8).map { String(address >> UInt32($0) & 255) }.joined(separator: ".")
  }

  public func overlaps(_ other: IPv4Block) -> Bool {
    let mask = UInt32.max << (32 - min(bits, other.bits))
    return base & mask == other.base & mask
  }

  public func contains(_ address: UInt32) -> Bool { address & (UInt32.max << (32 - bits)) == base }

  /// The first address of the block that a machine may have; of a block of one, that one.
  public var firstHost: String { Self.text(bits == 32 ? base : base + 1) }

  public var description: String { "\(Self.text(base))/\(bits)" }
}
