import EStargz
import LinuxSystem
import OCI

/// A layer's table or index on the disk.
package enum StoredContent {
  package static func encoded(_ content: LayerContent) -> [UInt8] {
    switch content {
    case .chunks(let table, _): table.encoded()
    case .spans(let index, let layout): layout.encoded() + index.encoded()
    }
  }

  static func read(_ path: String, _ record: LayerRecord, _ key: LayerKey) throws -> LayerContent {
    guard let bytes = try DurableFile.read(path, limit: 1 << 30) else {
      throw LayerStoreError.damaged(key, why: "its table is missing; remove the layer")
    }
    do {
      if let format = record.format.flatMap({ LayerFormat(rawValue: $0.rawValue) }) {
        return .chunks(try ChunkTable(decoding: bytes), format)
      }
      return try spans(decoding: bytes)
    } catch { throw LayerStoreError.damaged(key, why: "\(error); remove the layer") }
  }

  /// Reads what `encoded` gave of a plain layer.
  /// - Throws: `SeekError.malformedIndex`.
  package static func spans(decoding bytes: [UInt8]) throws -> LayerContent {
    var rest = bytes[...]
    let layout = try ArchiveLayout(decoding: &rest)
    return .spans(try SeekIndex(decoding: Array(rest)), layout)
  }

  /// Refuses what could not be filled, or not be verified.
  static func check(_ layer: LayerDescription, _ configuration: LayerStore.Configuration) throws(LayerStoreError) {
    func unusable(_ why: String) -> LayerStoreError { .unusable(layer.key, why: why) }
    guard layer.deviceBytes >= 0, layer.deviceBytes <= 1 << 50 else { throw unusable("its size is out of bounds") }
    let limit = configuration.pieceLimitBytes
    switch layer.content {
    case .chunks(let table, _):
      guard table.isVerifiable || configuration.allowsUnverifiable else { throw unusable("its chunks have no digests") }
      var end: Int64 = 0
      for chunk in table.chunks {
        guard chunk.length > 0, chunk.deviceOffset >= end, chunk.length <= layer.deviceBytes - chunk.deviceOffset else {
          throw unusable("its chunks overlap or lie outside of the device")
        }
        end = chunk.deviceOffset + chunk.length
        guard chunk.isZeros || chunk.innerOffset <= limit && chunk.length <= limit - chunk.innerOffset else {
          throw unusable("it has a chunk of more than \(limit) bytes")
        }
        guard chunk.blobOffset >= 0, chunk.blobLength >= 0, chunk.blobOffset <= layer.blobBytes - chunk.blobLength,
          chunk.blobLength <= limit
        else { throw unusable("a chunk lies outside of the blob, or is more than \(limit) bytes there") }
      }
    case .spans(let index, let layout):
      guard layout.deviceBytes(archive: index.archiveBytes) <= layer.deviceBytes,
        layout.contentEnd <= index.archiveBytes,
        index.blobBytes == layer.blobBytes
      else {
        throw unusable("its index is that of another layer")
      }
      for number in index.spans.indices {
        guard index.spans[number].length <= limit, index.blobRange(ofSpans: number..<number + 1).count <= Int(limit)
        else { throw unusable("it can only be read in pieces of more than \(limit) bytes") }
      }
    }
  }
}
