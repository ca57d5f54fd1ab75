import OCI

/// How a file's content is found: the size of its chunks and where each lies (`erofs_inode_chunk_index`).
struct ChunkMap {
  /// Logarithm of the blocks in a chunk.
  let chunkBits: UInt8
  let count: Int
  private let extents: [DataExtent]
  private let blockBits: UInt8

  static let entryBytes = 8

  /// - Throws: `EROFSError` if content is not aligned or lies outside of its device.
  init(_ extents: [DataExtent], size: Int64, node: Int, options: EROFSOptions) throws(EROFSError) {
    let block = Int64(options.blockSize.rawValue)
    var merged: [DataExtent] = []
    // Chunks must be so small that none holds a border between two stretches.
    var borders: Int64 = 0
    for extent in extents {
      guard extent.fileOffset % block == 0, extent.deviceOffset % block == 0,
        extent.length % block == 0 || extent.fileOffset + extent.length == size
      else { throw EROFSError(.unalignedExtent(blockSize: Int(block)), node: node) }
      guard extent.device >= 1, Int(extent.device) <= options.deviceBytes.count,
        extent.length <= options.deviceBytes[Int(extent.device) - 1] - extent.deviceOffset,
        (extent.deviceOffset + extent.length) / block < Int64(UInt32.max)
      else { throw EROFSError(.extentOutsideDevice, node: node) }
      if let last = merged.last, last.device == extent.device, last.fileOffset + last.length == extent.fileOffset,
        last.deviceOffset + last.length == extent.deviceOffset
      {
        merged[merged.count - 1].length += extent.length
      } else {
        merged.append(extent)
      }
    }
    for extent in merged {
      borders |= extent.fileOffset
      if extent.fileOffset + extent.length < size { borders |= extent.fileOffset + extent.length }
    }
    let bits = Int(options.blockSize.bits)
    let whole = Int64.bitWidth - max(0, size - 1).leadingZeroBitCount  // one chunk for the whole file
    let chunk = max(bits, min(borders == 0 ? whole : min(whole, borders.trailingZeroBitCount), bits + 31))
    chunkBits = UInt8(chunk - bits)
    let chunks = (size + (1 << Int64(chunk)) - 1) >> Int64(chunk)
    guard chunks <= options.limitBytes / Int64(Self.entryBytes) else {
      throw EROFSError(.tooLarge(limitBytes: options.limitBytes), node: node)
    }
    count = Int(chunks)
    blockBits = options.blockSize.bits
    self.extents = merged
  }

  /// `i_u.c.format`: 8-byte indexes and the size of a chunk.
  var format: UInt32 { 0x20 | UInt32(chunkBits) }

  /// Gives every index in turn.
  func forEachIndex(_ body: (_ device: UInt16, _ block: UInt32) throws -> Void) rethrows {
    let chunk = Int64(1) << Int64(blockBits + chunkBits)
    var extent = extents.startIndex
    for index in 0..<count {
      let offset = Int64(index) * chunk
      while extent < extents.endIndex, extents[extent].fileOffset + extents[extent].length <= offset { extent += 1 }
      if extent < extents.endIndex, extents[extent].fileOffset <= offset {
        let position = extents[extent].deviceOffset + (offset - extents[extent].fileOffset)
        try body(extents[extent].device, UInt32(position >> Int64(blockBits)))
      } else {
        try body(0, .max)  // a hole
      }
    }
  }
}
