import EStargz
import JSONDocument
import OCI
import TestSupport
import Testing

/// Tables of contents that lie.
@Suite struct HostileTOCTests {
  /// A zstd:chunked layer with these entries.
  private func read(_ entries: String, limits: LayerTOCLimits = LayerTOCLimits()) throws -> LazyLayer {
    let json = Array(#"{"version":1,"entries":[\#(entries)]}"#.utf8)
    let toc = try ZstdCompressor().frame(json[...])
    return try LazyLayer(
      toc: toc, at: TOCLocation(format: .zstdChunked, range: 1000..<1000 + Int64(toc.count)), contentEnd: 5000,
      limits: limits)
  }

  private static let file = #"{"type":"reg","name":"f","size":10,"offset":10}"#

  @Test(arguments: [
    #"{"type":"dir","name":"../up"}"#,
    #"{"type":"dir","name":"a/../../b"}"#,
    #"{"type":"dir","name":"nul\u0000"}"#,
    #"{"type":"dir","name":"latin-\ufffd"}"#,
    #"{"type":"symlink","name":"s","linkName":"latin-\ufffd"}"#,
    #"{"type":"hardlink","name":"h","linkName":"../../etc/shadow"}"#,
    #"{"type":"hardlink","name":"h","linkName":"missing"}"#,
    #"{"type":"hardlink","name":"a","linkName":"b"},{"type":"hardlink","name":"b","linkName":"a"}"#,
    #"{"type":"hardlink","name":"a","linkName":"a"}"#,
    #"{"type":"dir","name":"d"},{"type":"hardlink","name":"a","linkName":"d"}"#,
    #"{"type":"symlink","name":"s"}"#,
    #"{"type":"symlink","name":"s","linkName":"/"},{"type":"reg","name":"s/etc/shadow","size":1,"offset":1}"#,
    #"{"type":"socket","name":"s"}"#,
    #"{"type":"chunk","name":"f","offset":1,"chunkSize":1}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1000}"#,
    #"{"type":"reg","name":"f","size":10,"offset":-1}"#,
    #"{"type":"reg","name":"f","size":-10,"offset":1}"#,
    #"{"type":"reg","name":"f","size":1e300,"offset":1}"#,
    #"{"type":"reg","name":"f","size":2305843009213693951,"offset":1}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"chunkSize":4}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"chunkSize":40}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"chunkSize":4},{"type":"chunk","name":"f","offset":2,"chunkOffset":3}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"chunkSize":4},{"type":"chunk","name":"f","offset":2,"chunkOffset":5}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"innerOffset":9000000000}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"digest":"sha256:short"}"#,
    #"{"type":"reg","name":"f","size":10,"offset":1,"xattrs":{"user.x":"*"}}"#,
    #"{"type":"reg","name":"f","size":1,"offset":1,"modtime":"yesterday"}"#,
    #"{"type":"dir","name":"d/.wh.."}"#,
    #"{"type":"reg","name":"d/.wh."}"#,
    #"{"type":"reg","name":"f","size":1,"offset":1},{"type":"dir","name":"f/d"}"#,
    #"{"name":"f"}"#, "3", "{", "[[[[[[[[[[[[[[[[[[[[[[", #"{"type":"dir","name":"d"}}"#,
  ]) func `are refused with a reason`(_ entries: String) {
    do {
      _ = try read(entries)
      Issue.record("accepted")
    } catch { #expect(error is LayerTOCError || error is LayerError, "\(error)") }
  }

  @Test func `limits are kept`() throws {
    #expect(throws: LayerTOCError(.tooLarge(limitBytes: 10))) { try read(Self.file, limits: LayerTOCLimits(bytes: 10)) }
    #expect(throws: LayerError.self) {
      try read(#"{"type":"dir","name":"a"},{"type":"dir","name":"b"}"#, limits: LayerTOCLimits(entries: 2))
    }
    #expect(throws: LayerTOCError(.tooManyChunks(limit: 1))) {
      try read(Self.file + #",{"type":"dir","name":"b"}"#, limits: LayerTOCLimits(chunks: 1))
    }
    #expect(throws: LayerTOCError.self) { try read(Self.file, limits: LayerTOCLimits(chunkBytes: 9)) }
    #expect(throws: LayerTOCError.self) { try read(Self.file, limits: LayerTOCLimits(contentBytes: 9)) }
  }

  @Test func `a table that would fill the memory is stopped early`() throws {
    // 1 GiB of white space in a few kilobytes.
    let gigabyte = try ZstdCompressor(level: 1).frame([UInt8](repeating: 0x20, count: 64 << 20)[...])
    let toc = (0..<16).flatMap { _ in gigabyte }
    #expect(throws: LayerTOCError(.tooLarge(limitBytes: 256 << 20))) {
      try LazyLayer(
        toc: toc, at: TOCLocation(format: .zstdChunked, range: 0..<Int64(toc.count)), contentEnd: Int64(toc.count))
    }
  }

  @Test func `zeros need no bytes of the layer and old layers are known to be unverifiable`() throws {
    let layer = try read(
      #"{"type":"reg","name":"z","size":10,"offset":1,"chunkSize":4},{"type":"chunk","name":"z","chunkOffset":4,"chunkSize":6,"chunkType":"zeros"}"#
    )
    #expect(layer.chunks.chunks.map(\.isZeros) == [false, true])
    #expect(!layer.chunks.isVerifiable)
  }

  @Test func `landmarks say what is fetched first and are not files`() throws {
    let layer = try read(
      Self.file
        + #",{"type":"reg","name":".prefetch.landmark","size":1,"offset":500},{"type":"reg","name":"g","size":5,"offset":600}"#
    )
    #expect(layer.prefetch == 0..<500)
    #expect(layer.tree.node(at: Array(".prefetch.landmark".utf8)) == nil)
    #expect(layer.chunks.chunks.map(\.blobRange) == [10..<500, 600..<1000])
    #expect(try read(Self.file).prefetch == nil)
  }

  @Test func `chunk tables come back from disk`() throws {
    let table = try Fixture("estargz-minchunk").lazyLayer().chunks
    let bytes = table.encoded()
    #expect(try ChunkTable(decoding: bytes) == table)
    #expect(throws: ChunkTable.Malformed.self) { try ChunkTable(decoding: Array(bytes.dropLast())) }
    var random = SeededGenerator(seed: 5)
    for _ in 0..<500 {
      var damaged = bytes
      damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      _ = try? ChunkTable(decoding: damaged)
    }
  }

  @Test func `chunks are found by the range of the device they touch`() throws {
    let table = ChunkTable(
      [(0, 100), (4096, 4096), (8192, 10), (12288, 4096)].map {
        Chunk(deviceOffset: $0.0, length: $0.1, blobOffset: $0.0, blobLength: 1, digest: nil)
      })
    #expect(table.indexes(touching: 0..<1) == 0..<1)
    #expect(table.indexes(touching: 99..<4097) == 0..<2)
    #expect(table.indexes(touching: 100..<4096).isEmpty)
    #expect(table.indexes(touching: 8192..<12289) == 2..<4)
    #expect(table.indexes(touching: 20_000..<30_000).isEmpty)
  }

  /// Mutated tables end in a layer that keeps its promises, or in a typed error.
  @Test(arguments: 0..<6) func `damaged tables are read or refused`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let fixture = try Fixture("zstdchunked-skopeo-1.22")
    let range = try #require(try fixture.location().range)
    var source = try ZstdSource(MemorySource(fixture.blob[Int(range.lowerBound)..<Int(range.upperBound)]))
    var json: [UInt8] = []
    while case let piece = try source.read(upTo: 1 << 20), !piece.isEmpty { json += piece }
    let compressor = try ZstdCompressor(level: 1)
    for _ in 0..<60 {
      var bytes = json
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[position] = UInt8.random(in: 32...126, using: &random)
        case 1: bytes.removeSubrange(position..<min(bytes.count, position + Int.random(in: 1...300, using: &random)))
        case 2: bytes.insert(contentsOf: bytes[..<min(position, 300)], at: position)
        default: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
      }
      let toc = try compressor.frame(bytes[...])
      do {
        let layer = try LazyLayer(
          toc: toc, at: TOCLocation(format: .zstdChunked, range: 0..<1), contentEnd: fixture.descriptor.size)
        for chunk in layer.chunks.chunks {
          #expect(
            chunk.deviceRange.upperBound <= layer.deviceBytes && chunk.blobRange.upperBound <= fixture.descriptor.size)
        }
      } catch { #expect(error is LayerTOCError || error is LayerError, "\(error)") }
    }
  }
}
