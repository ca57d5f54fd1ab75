import OCI

/// What is learned of a plain layer while it passes: digests, files, places where decompression can begin again.
///
/// A fault in the layer is kept until all of it has passed: only then is it known whether the layer or the registry is to
/// blame. Used by one task at a time.
final class LayerPassage {
  private var first: [UInt8] = []
  private var indexer: SeekIndexer?
  private var reader = TarLayerReader(.aligned)
  private var compressed = DigestHasher()
  private var fault: (any Error)?

  /// Of the bytes so far.
  var digest: Digest { compressed.digest }

  /// Takes the next piece of the blob.
  /// - Parameter write: gets contents of files, and where they go on the layer's data device; nothing after a fault.
  /// - Throws: what `write` throws.
  func take(_ piece: ArraySlice<UInt8>, write: (ArraySlice<UInt8>, Int64) throws -> Void) throws {
    compressed.update(piece)
    guard fault == nil else { return }
    var failure: (any Error)?
    do {
      var input = piece
      if indexer == nil {
        // Enough to tell compressions apart.
        first += piece
        guard first.count >= 8 else { return }
        input = first[...]
        indexer = try SeekIndexer(LayerCompression(firstBytes: first.prefix(8)))
        first = []
      }
      try indexer?.consume(input) { bytes in
        try reader.consume(bytes) { content, place in
          do { try write(content, place) } catch {
            failure = error
            throw error
          }
        }
      }
    } catch { fault = error }
    // What the disk did is not the layer's fault.
    if let failure { throw failure }
  }

  /// What was learned, after the last piece.
  /// - Throws: the layer's fault.
  func finish() throws -> (SeekIndex, ArchiveLayout, LayerTree) {
    if indexer == nil, fault == nil {
      // Too short to be told from a plain archive.
      let indexer = try SeekIndexer(.none)
      try indexer.consume(first[...]) { try reader.consume($0) }
      self.indexer = indexer
    }
    if let fault { throw fault }
    guard let indexer else { throw TarError(.truncated) }
    let index = try indexer.finish()
    let tree = try reader.finish()
    return (index, reader.layout, tree)
  }
}
