import EStargz
import OCI
import Testing

@testable import LayerStore

/// What is fetched around what a reader waits for.
@Suite struct DemandWindowTests {
  private static let bounds: ClosedRange<Int64> = (256 << 10)...(4 << 20)

  /// Kilobytes: of the largest piece wanted, of the window before if readers go on, and of the window that must come of it.
  @Test(
    arguments: [
      (1, nil, 2048, 192), (64, nil, 2048, 192), (65, nil, 256, 192), (3000, nil, 256, 192),
      (3000, 256, 512, nil), (3000, 512, 1024, nil), (3000, 4096, 4096, nil), (1, 2048, 4096, nil),
      (1, 256, 2048, nil),
    ] as [(Int64, Int64?, Int64, Int64?)])
  func `small files come in company, large ones alone, readers that go on get more`(
    _ largest: Int64, _ last: Int64?, _ bytes: Int64, _ limit: Int64?
  ) {
    let window = DemandWindow(Self.bounds, largest: largest << 10, after: last.map { $0 << 10 })
    #expect(window.bytes == bytes << 10)
    #expect(window.pieceBytes == limit.map { $0 << 10 } ?? .max)
  }

  /// Kilobytes of the pieces of a blob, the piece wanted, and the run that must come of it.
  @Test(
    arguments: [
      ([10, 10, 10, 10], 1, 0..<4), ([10, 300, 10, 10, 300, 10], 2, 2..<4), ([500, 500, 500], 1, 1..<2),
      ([1000, 1000, 10, 10], 2, 2..<4), ([10], 0, 0..<1),
    ] as [([Int64], Int, Range<Int>)])
  func `a run ends where something large begins`(_ sizes: [Int64], _ wanted: Int, _ expected: Range<Int>) {
    let map = Self.map(sizes)
    let runs = RunPlan(limitBytes: 4 << 20).runs([wanted], of: map) { run in
      DemandWindow(Self.bounds, largest: run.map { Int64(map.pieces[$0].blob.count) }.max() ?? 0)
    } isFree: { _ in
      true
    }
    #expect(runs == [expected])
  }

  @Test func `without a window nothing is fetched along`() {
    let runs = RunPlan(limitBytes: 4 << 20, gapBytes: 15 << 10).runs(
      [1, 3, 6], of: Self.map([10, 10, 10, 10, 10, 10, 10])
    ) {
      _ in
      nil
    } isFree: { _ in
      true
    }
    #expect(runs == [1..<4, 6..<7])
  }

  private static func map(_ kilobytes: [Int64]) -> ContentMap {
    var (device, blob): (Int64, Int64) = (0, 0)
    var chunks: [Chunk] = []
    for size in kilobytes {
      chunks.append(
        Chunk(deviceOffset: device, length: size << 11, blobOffset: blob, blobLength: size << 10, digest: nil))
      device += size << 11
      blob += size << 10
    }
    return ContentMap(.chunks(ChunkTable(chunks), .estargz))
  }
}
