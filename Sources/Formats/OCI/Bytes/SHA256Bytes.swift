import Crypto

/// A SHA-256 digest as 32 bytes in place: for tables with one for every few pages of an image.
public struct SHA256Bytes: Sendable, Hashable {
  private var words: (UInt64, UInt64, UInt64, UInt64)

  /// Reads 32 bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    var words: [UInt64] = [0, 0, 0, 0]
    for (index, byte) in bytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// Reads `sha256:` and 64 hexadecimal digits.
  public init?(_ text: String) {
    guard text.utf8.count == 71, text.hasPrefix("sha256:") else { return nil }
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in text.utf8.dropFirst(7) {
      let value: UInt8
      switch digit {
      case 48...57: value = digit - 48
      case 97...102: value = digit - 87
      default: return nil
      }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    self.init(bytes)
  }

  /// The digest of bytes in memory.
  public init(of bytes: ArraySlice<UInt8>) {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    self.init(hash.finalize())
  }

  init(_ hash: SHA256Digest) {
    var words: [UInt64] = [0, 0, 0, 0]
    for (index, byte) in hash.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    [words.0, words.1, words.2, words.3].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
  }

  /// With `sha256:` in front.
  public var digest: Digest? { Digest(hex: bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()) }

  public static func == (left: SHA256Bytes, right: SHA256Bytes) -> Bool { left.words == right.words }
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
