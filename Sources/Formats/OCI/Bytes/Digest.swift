import Crypto

/// The name of content by its SHA-256 (image-spec, "Digests"): `sha256:` and 64 hexadecimal digits.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  public let hex: String

  /// Reads `sha256:…`; `nil` for other algorithms and malformed text.
  public init?(_ text: String) {
    guard text.hasPrefix("sha256:") else { return nil }
    self.init(hex: String(text.dropFirst(7)))
  }

  /// Reads the digits alone.
  public init?(hex: String) {
    guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { return nil }
    self.hex = hex
  }

  init(_ hash: SHA256Digest) {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in hash { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    hex = String(decoding: text, as: UTF8.self)
  }

  /// The digest of bytes in memory.
  public init(of bytes: [UInt8]) {
    var hasher = DigestHasher()
    hasher.update(bytes[...])
    self = hasher.digest
  }

  /// `sha256:…`
  public var description: String { "sha256:\(hex)" }
}

/// Computes a digest piece by piece, and counts the bytes.
public struct DigestHasher {
  private var hash = SHA256()
  /// Bytes seen so far.
  public private(set) var size: Int64 = 0

  public init() {}

  public mutating func update(_ bytes: ArraySlice<UInt8>) {
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    size += Int64(bytes.count)
  }

  /// The digest of all bytes seen so far.
  public var digest: Digest { Digest(hash.finalize()) }
}

/// Passes bytes on and computes their digest.
public struct DigestSink<Base: ByteSink>: ByteSink {
  public var base: Base
  public private(set) var hasher = DigestHasher()

  public init(_ base: Base) { self.base = base }

  public mutating func write(_ bytes: ArraySlice<UInt8>) throws {
    hasher.update(bytes)
    try base.write(bytes)
  }
}
