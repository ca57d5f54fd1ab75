import OCI

/// Identities of file systems that are made of layers.
enum EROFSIdentity {
  /// A UUID (RFC 9562, version 8: made of a digest) that repeats for the same layer.
  static func uuid(of digest: Digest) -> [UInt8] {
    var bytes = Array((SHA256Bytes(digest.hex)?.bytes ?? []).prefix(16))
    guard bytes.count == 16 else { return [UInt8](repeating: 0, count: 16) }
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    return bytes
  }
}
