/// How a layer's tar archive is compressed.
public enum LayerCompression: UInt8, Sendable, Hashable, CustomStringConvertible {
  case none = 0
  case gzip = 1
  case zstd = 2

  /// What the first bytes of a blob say; anything that is neither gzip nor zstd is taken for an uncompressed archive.
  public init(firstBytes: some Collection<UInt8>) {
    if firstBytes.starts(with: [0x1F, 0x8B]) {
      self = .gzip
    } else if firstBytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
      || firstBytes.dropFirst().starts(with: [0x2A, 0x4D, 0x18])
    {
      self = .zstd  // a frame, or a skippable one in front
    } else {
      self = .none
    }
  }

  public var description: String {
    switch self {
    case .none: "uncompressed"
    case .gzip: "gzip"
    case .zstd: "zstd"
    }
  }
}
