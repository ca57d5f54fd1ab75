import TestSupport
import Testing

@testable import OCI

@Suite struct GzipTests {
  func compress(_ bytes: [UInt8]) throws -> [UInt8] {
    var sink = try GzipSink([UInt8]())
    for start in stride(from: 0, to: bytes.count, by: 10_000) {
      try sink.write(bytes[start..<min(start + 10_000, bytes.count)])
    }
    try sink.finish()
    return sink.base
  }

  func decompress(_ bytes: [UInt8]) throws -> [UInt8] {
    var source = try GunzipSource(MemorySource(bytes))
    var all: [UInt8] = []
    while case let piece = try source.read(upTo: 1000), !piece.isEmpty { all += piece }
    return all
  }

  @Test(arguments: [0, 1, 511, 65_536, 1_000_000]) func `what was compressed comes back`(_ size: Int) throws {
    var random = SeededGenerator(seed: UInt64(size))
    let bytes = (0..<size).map {
      $0 % 7 == 0 ? UInt8.random(in: 0...255, using: &random) : UInt8(truncatingIfNeeded: $0 / 100)
    }
    let packed = try compress(bytes)
    #expect(packed.starts(with: [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]))  // no name, time 0
    #expect(try decompress(packed) == bytes)
    #expect(try compress(bytes) == packed)
  }

  @Test func `several members are one stream`() throws {
    #expect(try decompress(try compress([1, 2]) + compress([3])) == [1, 2, 3])
  }

  @Test func `damage and early ends are errors`() throws {
    let packed = try compress((0..<5000).map { UInt8(truncatingIfNeeded: $0 * $0) })
    #expect(throws: GzipError(reason: .truncated)) { try decompress(Array(packed.dropLast(3))) }
    #expect(throws: GzipError(reason: .truncated)) { try decompress([]) }
    var damaged = packed
    damaged[damaged.count - 6] ^= 0xFF  // within the checksum
    #expect(throws: GzipError(reason: .corrupt)) { try decompress(damaged) }
    #expect(throws: GzipError(reason: .corrupt)) { try decompress(Array("plain text".utf8)) }
  }
}
