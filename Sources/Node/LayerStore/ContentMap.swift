import BoundedNumbers
import EStargz
import OCI

/// Which bytes of the blob make which bytes of the data device.
///
/// Two units: an *item* is what has a digest (a chunk, a span) and lies in one stretch of the device; items are numbered
/// in the order of the device. A *piece* is what can be decoded alone (a compressed stream) and lies in one stretch of
/// the blob; pieces are numbered in the order of the blob. A piece holds one item, or a few.
struct ContentMap: Sendable {
  struct Piece: Sendable {
    var blob: Range<Int64>
    /// Its items, as indexes of `itemsInBlobOrder`.
    fileprivate var items: Range<Int32>
  }

  let content: LayerContent
  let pieces: [Piece]
  let itemCount: Int
  private let itemsInBlobOrder: [Int32]
  /// -1 for items of zeros.
  private let pieceOfItem: [Int32]

  init(_ content: LayerContent) {
    self.content = content
    switch content {
    case .spans(let index, _):
      itemCount = index.spans.count
      itemsInBlobOrder = index.spans.indices.map(Int32.init)
      pieceOfItem = itemsInBlobOrder
      pieces = index.spans.indices.map {
        Piece(blob: index.blobRange(ofSpans: $0..<$0 + 1), items: Int32($0)..<Int32($0 + 1))
      }
    case .chunks(let table, _):
      let chunks = table.chunks
      itemCount = chunks.count
      itemsInBlobOrder = chunks.indices.filter { !chunks[$0].isZeros }.map(Int32.init).sorted {
        let (left, right) = (chunks[Int($0)], chunks[Int($1)])
        return (left.blobOffset, left.innerOffset, $0) < (right.blobOffset, right.innerOffset, $1)
      }
      var pieces: [Piece] = []
      var pieceOfItem = [Int32](repeating: -1, count: chunks.count)
      for (position, item) in itemsInBlobOrder.enumerated() {
        let range = chunks[Int(item)].blobRange
        if let last = pieces.last, last.blob.lowerBound == range.lowerBound {
          pieces[pieces.count - 1].items = last.items.lowerBound..<Int32(position + 1)
          pieces[pieces.count - 1].blob = range.lowerBound..<max(range.upperBound, last.blob.upperBound)
        } else {
          pieces.append(Piece(blob: range, items: Int32(position)..<Int32(position + 1)))
        }
        pieceOfItem[Int(item)] = Int32(pieces.count - 1)
      }
      self.pieces = pieces
      self.pieceOfItem = pieceOfItem
    }
  }

  /// Of an item.
  func deviceRange(_ item: Int) -> Range<Int64> {
    switch content {
    case .chunks(let table, _): table.chunks[item].deviceRange
    case .spans(let index, let layout): layout.deviceRange(index.spans[item].range)
    }
  }

  func items(touching range: Range<Int64>) -> Range<Int> {
    switch content {
    case .chunks(let table, _): table.indexes(touching: range)
    case .spans: spans(touching: range)
    }
  }

  /// Spans follow each other on the device as in the archive.
  private func spans(touching range: Range<Int64>) -> Range<Int> {
    let start = (0..<itemCount).bisect { deviceRange($0).upperBound > range.lowerBound }
    return start..<(start..<itemCount).bisect { deviceRange($0).lowerBound >= range.upperBound }
  }

  /// Gives what of an item's bytes must be on the device, and where.
  func forEachWrite(
    _ item: Int, _ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>, Int64) throws -> Void
  ) rethrows {
    switch content {
    case .chunks(let table, _): try body(bytes, table.chunks[item].deviceOffset)
    case .spans(let index, let layout): try layout.forEachWrite(bytes, at: index.spans[item].offset, body)
    }
  }

  /// The piece that holds an item; `nil` if the item is all zeros.
  func piece(ofItem item: Int) -> Int? {
    let piece = Int(pieceOfItem[item])
    return piece < 0 ? nil : piece
  }

  func items(ofPiece piece: Int) -> ArraySlice<Int32> {
    let range = pieces[piece].items
    return itemsInBlobOrder[Int(range.lowerBound)..<Int(range.upperBound)]
  }

  /// Uncompressed bytes of a piece.
  func contentBytes(ofPiece piece: Int) -> Int64 {
    items(ofPiece: piece).reduce(0) { $0 + Int64(deviceRange(Int($1)).count) }
  }

  /// The pieces that a stretch of the blob touches.
  func pieces(touchingBlob range: Range<Int64>) -> Range<Int> {
    let first = pieces.indices.bisect { pieces[$0].blob.upperBound > range.lowerBound }
    return first..<(first..<pieces.count).bisect { pieces[$0].blob.lowerBound >= range.upperBound }
  }

  /// From the beginning of the first piece to the end of the last.
  func blobRange(ofPieces range: Range<Int>) -> Range<Int64> {
    pieces[range.lowerBound].blob.lowerBound..<pieces[range].reduce(0) { max($0, $1.blob.upperBound) }
  }

  /// Decodes and verifies pieces that follow each other.
  /// - Parameters:
  ///   - blob: the bytes of `blobRange(ofPieces:)`.
  ///   - body: gets each item with its bytes, once their digest was compared.
  /// - Throws: `ChunkError`, `SeekError`, or what `body` throws.
  func decode(
    _ range: Range<Int>, from blob: ArraySlice<UInt8>, _ body: (_ item: Int, ArraySlice<UInt8>) throws -> Void
  ) throws {
    switch content {
    case .spans(let index, _):
      var item = range.lowerBound
      try index.decode(range, from: blob) { _, bytes in
        try body(item, bytes)
        item += 1
      }
    case .chunks(let table, let format):
      let decoder = ChunkDecoder(format)
      let base = blobRange(ofPieces: range).lowerBound
      for piece in range {
        let items = items(ofPiece: piece)
        let blobRange = pieces[piece].blob
        var next = items.startIndex
        let bytes = blob.dropFirst(Int(blobRange.lowerBound - base)).prefix(blobRange.count)
        try decoder.decode(items.map { table.chunks[Int($0)] }, from: bytes) { _, content in
          try body(Int(items[next]), content)
          next += 1
        }
      }
    }
  }
}
