import EROFS
import EStargz
import OCI

/// Parsers of image layers.
extension FuzzTarget {
  static var layers: [FuzzTarget] {
    [
      FuzzTarget(name: "layer tree, EROFS", corpus: [tarLayer]) { input in
        var reader = TarLayerReader(limits: TarLimits(entries: 1000, totalBytes: 1 << 20))
        do {
          try reader.consume(input[...])
          let tree = try reader.finish()
          let writer = try EROFSWriter(
            tree, options: EROFSOptions(blockSize: .tar, deviceBytes: [Int64(input.count)], limitBytes: 1 << 26))
          var image: [UInt8] = []
          try writer.write(to: &image)
          guard Int64(image.count) == writer.metadataBytes, image.count % 512 == 0 else {
            throw BrokenPromise(description: "the image does not have the size that was planned")
          }
          return true
        } catch let error as BrokenPromise { throw error } catch { return false }
      },
      FuzzTarget(name: "table of contents", corpus: [Array(table.utf8)]) { input in
        let toc = try ZstdCompressor(level: 1).frame(input[...])
        guard
          let layer = try? LazyLayer(
            toc: toc, at: TOCLocation(format: .zstdChunked, range: 0..<Int64(toc.count)), contentEnd: 100_000,
            limits: LayerTOCLimits(bytes: 1 << 20, entries: 1000, chunks: 1000))
        else { return false }
        for chunk in layer.chunks.chunks
        where chunk.deviceRange.upperBound > layer.deviceBytes || chunk.blobRange.upperBound > 100_000 {
          throw BrokenPromise(description: "a chunk lies outside of the device or the blob")
        }
        guard try ChunkTable(decoding: layer.chunks.encoded()) == layer.chunks else {
          throw BrokenPromise(description: "a chunk table is not the same after writing and reading")
        }
        return true
      },
      FuzzTarget(name: "footers", corpus: footers) { input in
        guard let digest = Digest("sha256:" + String(repeating: "0", count: 64)) else { return false }
        let descriptor = Descriptor(mediaType: "", digest: digest, size: 4096)
        guard let location = try? TOCLocation(footer: input, of: descriptor) else { return false }
        if let range = location.range, range.upperBound > 4096 {
          throw BrokenPromise(description: "a table of contents lies outside of the blob")
        }
        return true
      },
      FuzzTarget(name: "gzip and its index", corpus: [gzip]) { input in
        do {
          let indexer = try SeekIndexer(.gzip, spanBytes: 1000, limitBytes: 1 << 22)
          try indexer.consume(input[...]) { _ in }
          let index = try indexer.finish()
          guard try SeekIndex(decoding: index.encoded()) == index else {
            throw BrokenPromise(description: "an index is not the same after writing and reading")
          }
          for number in index.spans.indices {
            let range = index.blobRange(ofSpans: number..<number + 1)
            do {
              try index.decode(number..<number + 1, from: input[Int(range.lowerBound)..<Int(range.upperBound)]) {
                _, _ in
              }
            } catch { throw BrokenPromise(description: "a span cannot be decoded from its own bytes: \(error)") }
          }
          return true
        } catch let error as BrokenPromise { throw error } catch { return false }
      },
      FuzzTarget(name: "zstd", corpus: [zstd]) { input in
        do {
          let indexer = try SeekIndexer(.zstd, spanBytes: 1000, limitBytes: 1 << 22)
          try indexer.consume(input[...]) { _ in }
          _ = try indexer.finish()
          return true
        } catch { return false }
      },
      FuzzTarget(name: "stored indexes", corpus: storedIndexes) { input in
        (try? SeekIndex(decoding: input)) != nil || (try? ChunkTable(decoding: input)) != nil
      },
    ]
  }

  private static var tarLayer: [UInt8] {
    var writer = TarWriter([UInt8]())
    let entries: [TarEntry] = [
      TarEntry("d", .directory), TarEntry("d/file", .file(size: 5), extendedAttributes: ["user.a": [1, 2]]),
      TarEntry("d/link", .symbolicLink(target: "file")), TarEntry("hard", .hardLink(target: "d/file")),
      TarEntry("null", .characterDevice(major: 1, minor: 3)), TarEntry("d/.wh.gone", .file(size: 0)),
      TarEntry("d/.wh..wh..opq", .file(size: 0)), TarEntry("late", .hardLink(target: "later")),
      TarEntry("later", .fifo),
    ]
    for entry in entries { try? writer.append(entry, content: entry.size == 5 ? Array("hello".utf8) : []) }
    try? writer.finish()
    return writer.sink
  }

  private static let table = """
    {"version":1,"entries":[{"type":"dir","name":"d/","mode":493,"modtime":"2026-11-22T10:00:00.5+09:00"},{"type":"reg",
    "name":"d/f","size":20,"offset":10,"chunkSize":8,"xattrs":{"user.a":"AQI="}},{"type":"chunk","name":"d/f","offset":30,
    "chunkOffset":8,"innerOffset":3,"digest":"sha256:\(String(repeating: "0a", count: 32))"},{"type":"symlink","name":"l",
    "linkName":"d/f"},{"type":"hardlink","name":"h","linkName":"d/f"},{"type":"char","name":"c","devMajor":1,"devMinor":3},
    {"type":"reg","name":".prefetch.landmark","size":1,"offset":60},{"type":"reg","name":"z","size":4,"chunkType":"zeros"}]}
    """

  private static var footers: [[UInt8]] {
    let gzip: [UInt8] = [0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 0xFF]
    let end: [UInt8] = [1, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0]
    let zeros = [UInt8](repeating: 0, count: 7)
    return [
      gzip + [26, 0, 0x53, 0x47, 22, 0] + Array("0000000000000100STARGZ".utf8) + end,
      gzip + [22, 0] + Array("0000000000000100STARGZ".utf8) + end,
      gzip + [21, 0, 0x53, 0x47, 17, 0] + Array("STARGZEXTERNALTOC".utf8) + end,
      [0x50, 0x2A, 0x4D, 0x18, 40, 0, 0, 0, 9] + zeros + [8] + zeros + [7] + zeros + [1] + zeros
        + Array("GnUlInUx".utf8),
      [0x50, 0x2A, 0x4D, 0x18, 64, 0, 0, 0, 9] + zeros + [8] + zeros + [7] + zeros + [1] + zeros + [6] + zeros + [5]
        + zeros + [4] + zeros + Array("GNUlInUx".utf8),
    ]
  }

  /// Text that does not compress to nothing.
  private static var text: [UInt8] { (0..<6000).flatMap { Array("\($0 &* 2_654_435_761 % 9973) ".utf8) } }

  private static var gzip: [UInt8] {
    guard var sink = try? GzipSink([UInt8](), level: 1) else { return [] }
    try? sink.write(text)
    try? sink.finish()
    return sink.base
  }

  private static var zstd: [UInt8] {
    guard let compressor = try? ZstdCompressor(level: 1), let frame = try? compressor.frame(text[...]) else {
      return []
    }
    return frame + frame
  }

  private static var storedIndexes: [[UInt8]] {
    var all = [ChunkTable([Chunk(deviceOffset: 0, length: 9, blobOffset: 1, blobLength: 2, digest: nil)]).encoded()]
    if let indexer = try? SeekIndexer(.gzip, spanBytes: 1000) {
      try? indexer.consume(gzip[...]) { _ in }
      if let index = try? indexer.finish() { all.append(index.encoded()) }
    }
    return all
  }
}
