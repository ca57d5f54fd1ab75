/// Gives files their places on a packed data device: one behind the other, each at a multiple of 4096 bytes.
public struct PackedLayout: Sendable, Hashable {
  /// Every file begins at a multiple of this.
  public static let unit: Int64 = 4096

  /// Size of the device so far, in bytes.
  public private(set) var size: Int64 = 0

  public init() {}

  /// - Returns: where `length` bytes go; `nil` if the device would be larger than 2^60 bytes.
  public mutating func place(_ length: Int64) -> Int64? {
    guard length >= 0, length <= 1 << 60, size <= 1 << 60 - length else { return nil }
    defer { size = (size + length + Self.unit - 1) / Self.unit * Self.unit }
    return size
  }
}
