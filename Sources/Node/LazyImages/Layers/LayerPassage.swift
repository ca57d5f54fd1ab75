import OCI

/// What is learned of a plain layer while it passes: digests, files, places where decompression can begin again.
///
/// A fault in the layer is kept until all of it has passed: only then is it known whether the layer or the registry is to
/// blame. Used by one task at a time.
final class LayerPassage {
  private var first: [UInt8] = []
  private var indexer: SeekIndexer?
  private var reader = TarLayerReader()
  private var compressed = DigestHasher()
  private var fault: (any Error)?

  /// Of the bytes so far.
  var digest: Digest { compressed.digest }

  /// Takes the next piece of the blob.
  /// - Returns: uncompressed bytes; none after a fault.
  func take(_ piece: ArraySlice<UInt8>) -> [[UInt8]] {
    compressed.update(piece)
    guard fault == nil else { return [] }
    var output: [[UInt8]] = []
    do {
      var input = piece
      if indexer == nil {
        // Enough to tell compressions apart.
        first += piece
        guard first.count >= 8 else { return [] }
        input = first[...]
        indexer = try SeekIndexer(LayerCompression(firstBytes: first.prefix(8)))
        first = []
      }
      try indexer?.consume(input) { bytes in
        try reader.consume(bytes)
        output.append(Array(bytes))
      }
    } catch {
      fault = error
      return []
    }
    return output
  }

  /// What was learned, after the last piece.
  /// - Throws: the layer's fault.
  func finish() throws -> (SeekIndex, LayerTree) {
    if indexer == nil, fault == nil {
      // Too short to be told from a plain archive.
      let indexer = try SeekIndexer(.none)
      try indexer.consume(first[...]) { try reader.consume($0) }
      self.indexer = indexer
    }
    if let fault { throw fault }
    guard let indexer else { throw TarError(.truncated) }
    let index = try indexer.finish()
    return (index, try reader.finish())
  }
}
