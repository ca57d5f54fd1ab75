import OCI

/// A stretch of the new archive that becomes one compressed stream.
struct Segment: Sendable {
  enum Piece: Sendable {
    case archive(Range<Int64>)
    case made([UInt8])

    var length: Int64 {
      switch self {
      case .archive(let range): Int64(range.count)
      case .made(let bytes): Int64(bytes.count)
      }
    }
  }

  /// The piece of a file that it begins with.
  struct Chunk: Sendable {
    /// Index of the item.
    let item: Int
    let offset: Int64
    let length: Int64
  }

  var chunk: Chunk?
  var pieces: [Piece] = []
  var length: Int64 { pieces.reduce(0) { $0 + $1.length } }
}

/// Cuts the new archive into streams. Every piece of a file begins one. In eStargz, padding and the headers of what
/// follows go along in the stream of the piece before them; in zstd:chunked they have a stream of their own, because its
/// readers take a piece for the whole stream.
struct SegmentPlan {
  private(set) var segments: [Segment] = []

  init(_ items: [MemberOrder.Item], format: LayerFormat, chunkBytes: Int64) {
    var open = Segment()
    func close() {
      if !open.pieces.isEmpty { segments.append(open) }
      open = Segment()
    }
    for (index, item) in items.enumerated() {
      let size = item.entry.size
      switch item.source {
      case .archive(let header, _): open.pieces.append(.archive(header))
      case .made(let header, _): open.pieces.append(.made(header))
      }
      var offset: Int64 = 0
      while offset < size {
        let length = min(chunkBytes, size - offset)
        close()
        open.chunk = Segment.Chunk(item: index, offset: offset, length: length)
        switch item.source {
        case .archive(_, let content):
          open.pieces.append(.archive(content.lowerBound + offset..<content.lowerBound + offset + length))
        case .made(_, let content): open.pieces.append(.made(content))
        }
        offset += length
        if format == .zstdChunked { close() }
      }
      let padding = Int((512 - size % 512) % 512)
      if padding > 0 { open.pieces.append(.made([UInt8](repeating: 0, count: padding))) }
    }
    close()
  }
}

/// A segment as it goes into the blob.
struct CompressedSegment: Sendable {
  let uncompressed: [UInt8]
  let compressed: [UInt8]
  /// Of the chunk alone.
  let chunkDigest: SHA256Bytes?
}

/// Compresses segments, one after the other.
final class SegmentCompressor {
  private let level: Int32
  private let zstd: ZstdCompressor?

  init(_ format: LayerFormat, level: Int32) throws {
    self.level = level
    zstd = format == .zstdChunked ? try ZstdCompressor(level: level) : nil
  }

  func compress(_ segment: Segment, of archive: some RandomAccessBytes) throws -> CompressedSegment {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(segment.length))
    for piece in segment.pieces {
      switch piece {
      case .archive(let range): bytes += try archive.read(range)
      case .made(let made): bytes += made
      }
    }
    return CompressedSegment(
      uncompressed: bytes, compressed: try compress(bytes),
      chunkDigest: segment.chunk.map { SHA256Bytes(of: bytes[..<Int($0.length)]) })
  }

  func compress(_ bytes: [UInt8]) throws -> [UInt8] {
    if let zstd { return try zstd.frame(bytes[...]) }
    var sink = try GzipSink([UInt8](), level: level)
    try sink.write(bytes[...])
    try sink.finish()
    return sink.base
  }
}
