import TestSupport
import Testing

@testable import OCI

/// Plain layers read at any place.
@Suite struct SeekIndexTests {
  /// Compressible, but not so much that blocks become huge.
  private static func content(_ size: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    while bytes.count < size {
      let word = (0..<Int.random(in: 1...9, using: &random)).map { _ in UInt8.random(in: 97...110, using: &random) }
      bytes += word + [32]
      if Int.random(in: 0..<50, using: &random) == 0 {
        bytes += (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
    }
    return Array(bytes.prefix(size))
  }

  private static func gzip(_ bytes: [UInt8], members: Int = 1, level: Int32 = 6) throws -> [UInt8] {
    var all: [UInt8] = []
    let size = (bytes.count + members - 1) / members
    for start in stride(from: 0, to: max(1, bytes.count), by: max(1, size)) {
      var sink = try GzipSink([UInt8](), level: level)
      try sink.write(bytes[start..<min(bytes.count, start + size)])
      try sink.finish()
      all += sink.base
    }
    return all
  }

  private static func zstd(_ bytes: [UInt8], frames: Int) throws -> [UInt8] {
    let size = (bytes.count + frames - 1) / frames
    let compressor = try ZstdCompressor()
    return try stride(from: 0, to: bytes.count, by: size).flatMap {
      try compressor.frame(bytes[$0..<min(bytes.count, $0 + size)])
    }
  }

  private func index(_ blob: [UInt8], _ compression: LayerCompression, spanBytes: Int64, step: Int) throws
    -> (SeekIndex, [UInt8])
  {
    let indexer = try SeekIndexer(compression, spanBytes: spanBytes)
    var all: [UInt8] = []
    for start in stride(from: 0, to: blob.count, by: step) {
      try indexer.consume(blob[start..<min(blob.count, start + step)]) { all += $0 }
    }
    return (try indexer.finish(), all)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let compression: LayerCompression
    let minimumSpans: Int
    let blob: @Sendable ([UInt8]) throws -> [UInt8]
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "gzip", compression: .gzip, minimumSpans: 8) { try gzip($0) },
    Case(name: "gzip, level 1", compression: .gzip, minimumSpans: 8) { try gzip($0, level: 1) },
    Case(name: "gzip, not compressed", compression: .gzip, minimumSpans: 8) { try gzip($0, level: 0) },
    Case(name: "gzip of many members", compression: .gzip, minimumSpans: 8) { try gzip($0, members: 37) },
    Case(name: "zstd of many frames", compression: .zstd, minimumSpans: 8) { try zstd($0, frames: 23) },
    Case(name: "zstd of one frame", compression: .zstd, minimumSpans: 1) { try zstd($0, frames: 1) },
    Case(name: "uncompressed", compression: .none, minimumSpans: 3) { $0 },
  ]

  @Test(arguments: cases) func `every span comes back from its own bytes alone`(_ test: Case) throws {
    let content = Self.content(1_500_000)
    let blob = try test.blob(content)
    #expect(LayerCompression(firstBytes: blob) == test.compression)
    let (index, passed) = try index(blob, test.compression, spanBytes: 60_000, step: 7001)
    #expect(passed == content)
    #expect(index.diffID == Digest(of: content))
    #expect(index.archiveBytes == Int64(content.count) && index.blobBytes == Int64(blob.count))
    #expect(index.spans.count >= test.minimumSpans)
    #expect(try SeekIndex(decoding: index.encoded()) == index)
    for number in index.spans.indices {
      let range = index.blobRange(ofSpans: number..<number + 1)
      var found: [UInt8] = []
      try index.decode(number..<number + 1, from: blob[Int(range.lowerBound)..<Int(range.upperBound)]) { _, bytes in
        found += bytes
      }
      let span = index.spans[number].range
      #expect(found == Array(content[Int(span.lowerBound)..<Int(span.upperBound)]), "span \(number)")
    }
    // Several at once.
    let touching = index.spans.indices.filter { index.spans[$0].range.overlaps(200_000..<400_000) }
    let some = try #require(touching.first)..<(try #require(touching.last) + 1)
    let range = index.blobRange(ofSpans: some)
    var found: [UInt8] = []
    try index.decode(some, from: blob[Int(range.lowerBound)..<Int(range.upperBound)]) { _, bytes in found += bytes }
    let first = Int(index.spans[some.lowerBound].offset)
    #expect(first <= 200_000 && first + found.count >= 400_000)
    #expect(found == Array(content[first..<first + found.count]))
  }

  @Test func `how the bytes come in makes no difference`() throws {
    let content = Self.content(300_000)
    let blob = try Self.gzip(content, members: 2)
    let whole = try index(blob, .gzip, spanBytes: 50_000, step: blob.count).0
    for step in [1, 13, 4096] { #expect(try index(blob, .gzip, spanBytes: 50_000, step: step).0 == whole) }
  }

  @Test func `other bytes than the first time are not given out`() throws {
    let content = Self.content(400_000)
    let blob = try Self.gzip(content)
    let index = try index(blob, .gzip, spanBytes: 50_000, step: 4096).0
    var random = SeededGenerator(seed: 9)
    for _ in 0..<200 {
      let number = Int.random(in: index.spans.indices, using: &random)
      let range = index.blobRange(ofSpans: number..<number + 1)
      var bytes = Array(blob[Int(range.lowerBound)..<Int(range.upperBound)])
      bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      do {
        try index.decode(number..<number + 1, from: bytes[...]) { span, found in
          #expect(SHA256Bytes(of: found) == span.digest)
        }
      } catch { #expect(error is SeekError) }
    }
  }

  @Test func `bombs, early ends and damage are errors`() throws {
    let bomb = try Self.gzip([UInt8](repeating: 0, count: 4 << 20))
    let indexer = try SeekIndexer(.gzip, limitBytes: 1 << 20)
    #expect(throws: SeekError(reason: .tooLarge(limitBytes: 1 << 20))) { try indexer.consume(bomb[...]) { _ in } }
    let blob = try Self.gzip(Self.content(100_000))
    #expect(throws: GzipError(reason: .truncated)) {
      try index(Array(blob.dropLast(9)), .gzip, spanBytes: 1000, step: 999)
    }
    #expect(throws: GzipError(reason: .truncated)) { try index([], .gzip, spanBytes: 1000, step: 999) }
    #expect(throws: ZstdError(reason: .truncated)) {
      try index(Array(Self.zstd(Self.content(1000), frames: 1).dropLast(1)), .zstd, spanBytes: 1000, step: 999)
    }
    #expect(throws: ZstdError(reason: .corrupt)) { try index(blob, .zstd, spanBytes: 1000, step: 999) }
  }

  @Test func `damaged indexes are refused or harmless`() throws {
    let blob = try Self.gzip(Self.content(300_000))
    let bytes = try index(blob, .gzip, spanBytes: 50_000, step: 4096).0.encoded()
    var random = SeededGenerator(seed: 4)
    for _ in 0..<300 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      guard let index = try? SeekIndex(decoding: damaged), !index.spans.isEmpty else { continue }
      for number in index.spans.indices where index.spans[number].length < 1 << 20 {
        let range = index.blobRange(ofSpans: number..<number + 1).clamped(to: 0..<Int64(blob.count))
        try? index.decode(number..<number + 1, from: blob[Int(range.lowerBound)..<Int(range.upperBound)]) {
          span, found in
          #expect(SHA256Bytes(of: found) == span.digest)
        }
      }
    }
  }

  @Test func `zstd comes back piece by piece, and damage is found`() throws {
    let content = Self.content(500_000)
    let blob = try Self.zstd(content, frames: 3)
    var source = try ZstdSource(MemorySource(blob))
    var all: [UInt8] = []
    while case let piece = try source.read(upTo: 1000), !piece.isEmpty { all += piece }
    #expect(all == content)
    var damaged = blob
    damaged[blob.count / 2] ^= 0x55
    #expect(throws: ZstdError.self) {
      var source = try ZstdSource(MemorySource(damaged))
      while try !source.read(upTo: 1 << 20).isEmpty {}
    }
  }
}
