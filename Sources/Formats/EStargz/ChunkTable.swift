import OCI

/// A piece of a file's content: where it goes, where it comes from, and what it must be.
public struct Chunk: Sendable, Hashable {
  /// Where it lies on the packed data device, in bytes.
  public var deviceOffset: Int64
  /// Uncompressed, in bytes.
  public var length: Int64
  /// Where the compressed stream (gzip member, zstd frame) begins that holds it, in bytes of the blob.
  public var blobOffset: Int64
  /// Bytes of the blob that hold it for sure; 0 for a chunk of zeros, which needs no bytes.
  public var blobLength: Int64
  /// Uncompressed bytes of the stream in front of it.
  public var innerOffset: Int64
  /// `nil` in layers of the oldest format, which cannot be verified piece by piece.
  public var digest: SHA256Bytes?

  public init(
    deviceOffset: Int64, length: Int64, blobOffset: Int64, blobLength: Int64, innerOffset: Int64 = 0,
    digest: SHA256Bytes?
  ) {
    self.deviceOffset = deviceOffset
    self.length = length
    self.blobOffset = blobOffset
    self.blobLength = blobLength
    self.innerOffset = innerOffset
    self.digest = digest
  }

  public var deviceRange: Range<Int64> { deviceOffset..<deviceOffset + length }
  public var blobRange: Range<Int64> { blobOffset..<blobOffset + blobLength }
  /// All of it reads as zeros.
  public var isZeros: Bool { blobLength == 0 }
}

/// All chunks of a layer in the order of the data device.
public struct ChunkTable: Sendable, Hashable {
  public let chunks: [Chunk]

  /// - Parameter chunks: may be in any order, must not overlap on the device.
  public init(_ chunks: [Chunk]) {
    // Devices are packed in the order of the blob, so this is sorted most often.
    let isSorted = zip(chunks, chunks.dropFirst()).allSatisfy { $0.deviceOffset <= $1.deviceOffset }
    self.chunks = isSorted ? chunks : chunks.sorted { $0.deviceOffset < $1.deviceOffset }
  }

  /// Whether every chunk has a digest.
  public var isVerifiable: Bool { chunks.allSatisfy { $0.isZeros || $0.digest != nil } }

  /// Indexes of the chunks that a range of the device touches.
  public func indexes(touching range: Range<Int64>) -> Range<Int> {
    let first = partition { $0.deviceRange.upperBound > range.lowerBound }
    let end = partition { $0.deviceOffset >= range.upperBound }
    return first..<max(first, end)
  }

  /// The first index from which on the condition holds.
  private func partition(_ holds: (Chunk) -> Bool) -> Int {
    var low = 0
    var high = chunks.count
    while low < high {
      let middle = (low + high) / 2
      if holds(chunks[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

// MARK: - On disk

extension ChunkTable {
  /// Why stored bytes are no chunk table.
  public struct Malformed: Error, Hashable, CustomStringConvertible {
    public var description: String { "the stored chunk table is damaged" }
  }

  private static let magic = Array("nagayaC1".utf8)
  /// Bytes of one chunk: five numbers, little-endian, and the digest (zeros if there is none).
  private static let recordBytes = 72

  /// The table as bytes to be kept.
  public func encoded() -> [UInt8] {
    var bytes = Self.magic
    bytes.reserveCapacity(bytes.count + chunks.count * Self.recordBytes)
    for chunk in chunks {
      for number in [chunk.deviceOffset, chunk.length, chunk.blobOffset, chunk.blobLength, chunk.innerOffset] {
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> Int64(8 * shift))) }
      }
      bytes += chunk.digest?.bytes ?? [UInt8](repeating: 0, count: 32)
    }
    return bytes
  }

  /// Reads what `encoded` gave.
  public init(decoding bytes: [UInt8]) throws(Malformed) {
    let records = bytes.dropFirst(Self.magic.count)
    guard bytes.starts(with: Self.magic), records.count % Self.recordBytes == 0 else { throw Malformed() }
    var chunks: [Chunk] = []
    chunks.reserveCapacity(records.count / Self.recordBytes)
    for start in stride(from: records.startIndex, to: records.endIndex, by: Self.recordBytes) {
      func number(_ index: Int) -> Int64 {
        (0..<8).reduce(0) { $0 | Int64(bytes[start + index * 8 + $1]) << Int64(8 * $1) }
      }
      let digest = bytes[start + 40..<start + 72]
      let chunk = Chunk(
        deviceOffset: number(0), length: number(1), blobOffset: number(2), blobLength: number(3),
        innerOffset: number(4), digest: digest.allSatisfy { $0 == 0 } ? nil : SHA256Bytes(digest))
      let end = chunks.last?.deviceRange.upperBound ?? 0
      guard chunk.deviceOffset >= end, chunk.length > 0, chunk.blobOffset >= 0, chunk.blobLength >= 0,
        chunk.innerOffset >= 0, chunk.deviceOffset <= Int64.max - chunk.length,
        chunk.blobOffset <= Int64.max - chunk.blobLength, chunk.innerOffset <= Int64.max - chunk.length
      else { throw Malformed() }
      chunks.append(chunk)
    }
    self.chunks = chunks
  }
}
