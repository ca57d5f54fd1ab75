import OCI
import Testing

@testable import LazyImages

@Suite struct LayerPassageTests {
  /// - Returns: the data device, too.
  private func pass(_ blob: [UInt8], pieces: Int = 1000) throws -> (LayerPassage, [UInt8]) {
    let passage = LayerPassage()
    var device: [UInt8] = []
    for start in stride(from: 0, to: blob.count, by: pieces) {
      try passage.take(blob[start..<min(blob.count, start + pieces)]) { bytes, place in
        let end = Int(place) + bytes.count
        if device.count < end { device += [UInt8](repeating: 0, count: end - device.count) }
        device.replaceSubrange(Int(place)..<end, with: bytes)
      }
    }
    return (passage, device)
  }

  private func digests(_ tree: LayerTree, _ device: [UInt8]) -> [[UInt8]: Digest] {
    var found: [[UInt8]: Digest] = [:]
    tree.forEachName { path, number in
      guard case .file(_, let extents) = tree.nodes[number].content else { return }
      found[Array(path)] = Digest(
        of: extents.flatMap { device[Int($0.deviceOffset)..<Int($0.deviceOffset + $0.length)] })
    }
    return found
  }

  @Test("a layer passes unchanged, however it is cut", arguments: [1, 3, 512, 100_000])
  func unchanged(pieces: Int) throws {
    let layer = try TestLayer(fixture: "plain")
    let (passage, device) = try pass(layer.blob, pieces: pieces)
    let (index, layout, tree) = try passage.finish()
    var archive: [UInt8] = []
    var reader = TarLayerReader()
    try SeekIndexer(.init(firstBytes: layer.blob.prefix(8))).consume(layer.blob[...]) {
      archive += $0
      try reader.consume($0)
    }
    #expect(passage.digest == layer.descriptor.digest)
    #expect(index.diffID == Digest(of: archive))
    #expect(index.archiveBytes == Int64(archive.count))
    #expect(tree.nodes.count > 10)
    #expect(digests(tree, device) == digests(try reader.finish(), archive))
    #expect(Int64(device.count) <= layout.deviceBytes(archive: index.archiveBytes))
  }

  @Test("a fault is kept until the digest of all bytes is known") func fault() throws {
    let bytes = [UInt8](repeating: 0x55, count: 20_000)
    let (passage, device) = try pass(bytes)
    #expect(device.isEmpty)
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
    let (passage, _) = try pass(archive)
    #expect(throws: TarError.self) { try passage.finish() }
  }

  @Test("a layer that ends too early is refused", arguments: [10, 5000, 90_000])
  func truncated(length: Int) throws {
    let layer = try TestLayer(fixture: "plain")
    let (passage, _) = try pass(Array(layer.blob.prefix(length)))
    #expect(throws: (any Error).self) { try passage.finish() }
  }
}
