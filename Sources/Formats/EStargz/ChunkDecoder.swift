import OCI

/// Why fetched bytes are not the chunk that was wanted.
public struct ChunkError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case wrongDigest
    /// Not decodable, or shorter than announced; in words.
    case damaged(String)
  }

  public let reason: Reason
  /// Where the compressed stream begins in the blob.
  public let blobOffset: Int64

  public var description: String {
    let what =
      switch reason {
      case .wrongDigest: "the content does not have the digest that the table of contents names"
      case .damaged(let why): why
      }
    return "the layer's bytes at \(blobOffset) are damaged: \(what)"
  }
}

/// Takes chunks out of fetched bytes and verifies them.
public struct ChunkDecoder: Sendable {
  private let format: LayerFormat

  public init(_ format: LayerFormat) { self.format = format }

  /// Decodes chunks that share one compressed stream; nothing is given out before its digest was compared.
  /// - Parameters:
  ///   - chunks: all with the same `blobOffset`, none of zeros.
  ///   - blob: bytes of the layer from that offset on; at least to the end of the last chunk.
  ///   - body: gets each chunk with its content.
  /// - Throws: `ChunkError`, or what `body` throws.
  public func decode(
    _ chunks: some Collection<Chunk>, from blob: ArraySlice<UInt8>, _ body: (Chunk, ArraySlice<UInt8>) throws -> Void
  )
    throws
  {
    guard let offset = chunks.first?.blobOffset else { return }
    let needed = chunks.reduce(0) { max($0, $1.innerOffset + $1.length) }
    let content = try prefix(Int(needed), of: blob, at: offset)
    for chunk in chunks {
      let piece = content[Int(chunk.innerOffset)..<Int(chunk.innerOffset + chunk.length)]
      if let digest = chunk.digest, digest != SHA256Bytes(of: piece) {
        throw ChunkError(reason: .wrongDigest, blobOffset: offset)
      }
      try body(chunk, piece)
    }
  }

  /// The first `count` uncompressed bytes: never more, whatever the stream would give.
  private func prefix(_ count: Int, of blob: ArraySlice<UInt8>, at offset: Int64) throws(ChunkError) -> [UInt8] {
    do {
      switch format {
      case .estargz: return try read(count, from: try GunzipSource(SliceSource(blob)))
      case .zstdChunked: return try read(count, from: try ZstdSource(SliceSource(blob)))
      }
    } catch { throw ChunkError(reason: .damaged("\(error)"), blobOffset: offset) }
  }

  private func read(_ count: Int, from source: some ByteSource) throws -> [UInt8] {
    var source = source
    var bytes: [UInt8] = []
    // A lying table must not make us reserve what never comes.
    bytes.reserveCapacity(min(count, 8 << 20))
    while bytes.count < count {
      let piece = try source.read(upTo: count - bytes.count)
      guard !piece.isEmpty else { throw ChunkError(reason: .damaged("it ends too early"), blobOffset: 0) }
      bytes += piece
    }
    return bytes
  }
}
