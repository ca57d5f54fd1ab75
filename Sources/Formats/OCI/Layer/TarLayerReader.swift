/// Reads a layer's tar archive while it comes in and notes where each file's content lies in it: the tree can be mounted
/// with the uncompressed archive itself as data device, in blocks of 512 bytes.
public struct TarLayerReader: Sendable {
  private var scanner: TarScanner
  private var builder: LayerTreeBuilder

  public init(limits: TarLimits = TarLimits()) {
    scanner = TarScanner(limits: limits)
    builder = LayerTreeBuilder(nodeLimit: limits.entries)
  }

  /// Bytes taken so far; after the last, the size of the archive.
  public var offset: Int64 { scanner.offset }
  /// Whether the end of the archive was seen: the tree is complete, only padding may follow.
  public var isAtEnd: Bool { scanner.isAtEnd }

  /// Takes the next piece of the uncompressed archive.
  /// - Throws: `TarError` or `LayerError`.
  public mutating func consume(_ bytes: ArraySlice<UInt8>) throws {
    var rest = bytes
    while let event = try scanner.next(from: &rest) {
      guard case .member(let entry, let contentOffset) = event else { continue }
      try builder.add(
        entry, extents: entry.size > 0 ? [DataExtent(length: entry.size, deviceOffset: contentOffset)] : [])
    }
  }

  /// The tree, after the last piece.
  /// - Throws: `TarError` if the archive ended early, `LayerError` if a hard link leads nowhere.
  public mutating func finish() throws -> LayerTree {
    try scanner.finish()
    return try builder.finish()
  }
}
