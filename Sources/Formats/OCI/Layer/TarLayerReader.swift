/// Reads a layer's tar archive while it comes in and gives each file's content a place on a data device: the tree can be
/// mounted with that device.
public struct TarLayerReader: Sendable {
  private var scanner: TarScanner
  private var builder: LayerTreeBuilder
  /// Where contents go; complete after the last piece.
  public private(set) var layout: ArchiveLayout
  /// Where the next piece of the member's content goes; `nil` if it has none that is kept.
  private var place: Int64?

  /// - Parameter layout: an empty one, to be filled: `aligned` for a device in blocks of 4096 bytes, `verbatim` if the device
  ///   is the archive, in blocks of 512.
  public init(_ layout: ArchiveLayout = .verbatim, limits: TarLimits = TarLimits()) {
    self.layout = layout
    scanner = TarScanner(limits: limits)
    builder = LayerTreeBuilder(nodeLimit: limits.entries)
  }

  /// Bytes taken so far; after the last, the size of the archive.
  public var offset: Int64 { scanner.offset }
  /// Whether the end of the archive was seen: the tree is complete, only padding may follow.
  public var isAtEnd: Bool { scanner.isAtEnd }

  /// Takes the next piece of the uncompressed archive.
  /// - Parameter write: gets what of it must be on an aligned device, and where.
  /// - Throws: `TarError` or `LayerError`, and what `write` throws.
  public mutating func consume(
    _ bytes: ArraySlice<UInt8>, write: (ArraySlice<UInt8>, Int64) throws -> Void = { _, _ in }
  ) throws {
    var rest = bytes
    var output = DeviceWrites()
    while let event = try scanner.next(from: &rest) {
      switch event {
      case .member(let entry, let contentOffset):
        guard entry.size > 0 else {
          place = nil
          try builder.add(entry, extents: [])
          continue
        }
        guard let device = layout.place(contentOffset, length: entry.size) else {
          throw TarError(.tooLarge(limitBytes: 1 << 60), path: TarError.text(entry.path))
        }
        place = device
        try builder.add(entry, extents: [DataExtent(length: entry.size, deviceOffset: device)])
      case .content(let piece):
        guard let start = place else { continue }
        try output.append(piece, at: start, write)
        place = start + Int64(piece.count)
      case .end: break
      }
    }
    try output.flush(write)
  }

  /// The tree, after the last piece.
  /// - Throws: `TarError` if the archive ended early, `LayerError` if a hard link leads nowhere.
  public mutating func finish() throws -> LayerTree {
    try scanner.finish()
    return try builder.finish()
  }
}
