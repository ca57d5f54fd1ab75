import EStargz
import OCI
import Testing

@testable import LayerStore

/// What comes along with the beginning of a large file.
@Suite struct FileCompanionsTests {
  /// Files by the lengths of their chunks; the items waited for; those that must come along.
  @Test(
    arguments: [
      ([[100]], 0..<1, []), ([[4 << 20, 5]], 0..<1, [1]), ([[4 << 20, 4 << 20]], 0..<1, [1]),
      ([[4 << 20, 5]], 1..<2, []), ([[4 << 20, 5]], 0..<2, []),
      ([[50], [4 << 20, 4 << 20, 4 << 20, 4 << 20, 70], [50]], 1..<2, [4, 5]),
      ([[50], [4 << 20, 4 << 20, 4 << 20, 4 << 20, 70], [50]], 2..<3, []),
      // Small files that fill their blocks are files of their own.
      ([[4096], [8192], [4096]], 0..<1, []),
      // Chunks of any length, as tools cut them by content.
      ([[70_001, 50_003, 9]], 0..<1, [1, 2]),
      // Two files at once.
      ([[4 << 20, 5], [4 << 20, 6]], 1..<3, [3]),
    ] as [([[Int64]], Range<Int>, [Int])])
  func `the rest of a file or its end comes with its beginning`(
    _ files: [[Int64]], _ items: Range<Int>, _ expected: [Int]
  ) {
    var layout = PackedLayout()
    var chunks: [Chunk] = []
    for file in files {
      guard var place = layout.place(file.reduce(0, +)) else { continue }
      for length in file {
        chunks.append(
          Chunk(
            deviceOffset: place, length: length, blobOffset: Int64(chunks.count) * 100, blobLength: 100, digest: nil))
        place += length
      }
    }
    #expect(FileCompanions(map: ContentMap(.chunks(ChunkTable(chunks), .estargz))).items(for: items) == expected)
  }
}
