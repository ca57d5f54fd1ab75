import OCI
import Testing

@testable import LazyImages

@Suite struct LayerPassageTests {
  private func pass(_ blob: [UInt8], pieces: Int = 1000) -> (LayerPassage, [UInt8]) {
    let passage = LayerPassage()
    var archive: [UInt8] = []
    for start in stride(from: 0, to: blob.count, by: pieces) {
      for piece in passage.take(blob[start..<min(blob.count, start + pieces)]) { archive += piece }
    }
    return (passage, archive)
  }

  @Test("a layer passes unchanged, however it is cut", arguments: [1, 3, 512, 100_000])
  func unchanged(pieces: Int) throws {
    let layer = try TestLayer(fixture: "plain")
    let (passage, archive) = pass(layer.blob, pieces: pieces)
    let (index, tree) = try passage.finish()
    #expect(passage.digest == layer.descriptor.digest)
    #expect(index.diffID == Digest(of: archive))
    #expect(index.archiveBytes == Int64(archive.count))
    #expect(tree.nodes.count > 10)
  }

  @Test("a fault is kept until the digest of all bytes is known") func fault() throws {
    let bytes = [UInt8](repeating: 0x55, count: 20_000)
    let (passage, archive) = pass(bytes)
    #expect(archive.isEmpty)
    #expect(passage.digest == Digest(of: bytes))
    #expect(throws: TarError.self) { try passage.finish() }
  }

  @Test("names that lead out of the layer are refused", arguments: ["../etc/passwd", "a/../../b"])
  func hostile(name: String) throws {
    var writer = TarWriter([UInt8]())
    try writer.append(TarEntry("xx", .file(size: 1)), content: [1])
    try writer.finish()
    var archive = writer.sink
    // The name is put in afterwards: our own writer refuses to write it. The checksum follows.
    var header = Array(archive[..<512])
    header.replaceSubrange(0..<100, with: Array(name.utf8) + [UInt8](repeating: 0, count: 100 - name.utf8.count))
    header.replaceSubrange(148..<156, with: Array("        ".utf8))
    let sum = header.reduce(0) { $0 + Int($1) }
    let digits = String(sum, radix: 8)
    header.replaceSubrange(
      148..<156, with: Array((String(repeating: "0", count: 6 - digits.count) + digits).utf8) + [0, 0x20])
    archive.replaceSubrange(..<512, with: header)
    let (passage, _) = pass(archive)
    #expect(throws: TarError.self) { try passage.finish() }
  }

  @Test("a layer that ends too early is refused", arguments: [10, 5000, 90_000])
  func truncated(length: Int) throws {
    let layer = try TestLayer(fixture: "plain")
    let (passage, _) = pass(Array(layer.blob.prefix(length)))
    #expect(throws: (any Error).self) { try passage.finish() }
  }
}
