import OCI
import TestSupport
import Testing

/// Where the contents of an archive lie on a device.
@Suite struct ArchiveLayoutTests {
  private static let sizes = [0, 1, 511, 512, 513, 4095, 4096, 4097, 0, 70_001, 300_000, 8192, 3]

  private static func content(_ file: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: file &* 31 &+ $0 &* 7 &+ $0 >> 8 &+ 1) }
  }

  private static func archive() throws -> [UInt8] {
    var writer = TarWriter([UInt8]())
    for (file, size) in sizes.enumerated() {
      if file == 5 { try writer.append(TarEntry("directory", .directory)) }
      try writer.append(TarEntry("f\(file)", .file(size: Int64(size))), content: content(file, size))
    }
    try writer.finish()
    return writer.sink
  }

  /// Reads an archive in pieces, and writes what must be written.
  private static func read(_ archive: [UInt8], _ layout: ArchiveLayout, step: Int) throws -> (
    LayerTree, ArchiveLayout, [UInt8]
  ) {
    var reader = TarLayerReader(layout)
    var device = [UInt8](repeating: 0, count: 2 << 20)
    for start in stride(from: 0, to: archive.count, by: step) {
      try reader.consume(archive[start..<min(archive.count, start + step)]) { bytes, place in
        device.replaceSubrange(Int(place)..<Int(place) + bytes.count, with: bytes)
      }
    }
    let tree = try reader.finish()
    let layout = reader.layout
    return (tree, layout, Array(device.prefix(Int(layout.deviceBytes(archive: Int64(archive.count))))))
  }

  @Test(arguments: [1, 100, 512, 4096, 1 << 20])
  func `contents begin at multiples of 4096, and nothing but zeros follows them`(step: Int) throws {
    let (tree, _, device) = try Self.read(try Self.archive(), .aligned, step: step)
    #expect(device.count % 4096 == 0)
    for (file, size) in Self.sizes.enumerated() where size > 0 {
      let number = try #require(tree.node(at: Array("f\(file)".utf8)))
      guard case .file(_, let extents) = tree.nodes[number].content, let extent = extents.first else {
        Issue.record("f\(file) has no content")
        continue
      }
      let start = Int(extent.deviceOffset)
      let end = start + size
      #expect(extents.count == 1 && start % 4096 == 0 && Int(extent.length) == size)
      #expect(Array(device[start..<end]) == Self.content(file, size))
      #expect(device[end..<(end + 4095) / 4096 * 4096].allSatisfy { $0 == 0 })
    }
  }

  @Test func `an archive that is taken as it is keeps its places`() throws {
    let archive = try Self.archive()
    let (tree, layout, _) = try Self.read(archive, .verbatim, step: 1000)
    let number = try #require(tree.node(at: Array("f9".utf8)))
    guard case .file(_, let extents) = tree.nodes[number].content else { return }
    let start = Int(try #require(extents.first).deviceOffset)
    #expect(Array(archive[start..<start + 70_001]) == Self.content(9, 70_001))
    #expect(layout == .verbatim && layout.encoded().isEmpty)
    #expect(layout.deviceRange(100..<200) == 100..<200)
  }

  @Test(arguments: [1, 700, 5000, 65_536])
  func `any cut of the archive gives stretches of the device that follow each other`(step: Int) throws {
    let archive = try Self.archive()
    let (_, layout, whole) = try Self.read(archive, .aligned, step: 1 << 20)
    var device = [UInt8](repeating: 0, count: whole.count)
    var end: Int64 = 0
    for start in stride(from: 0, to: archive.count, by: step) {
      let cut = start..<min(archive.count, start + step)
      let range = layout.deviceRange(Int64(cut.lowerBound)..<Int64(cut.upperBound))
      #expect(range.lowerBound == end && !range.isEmpty)
      end = range.upperBound
      layout.forEachWrite(archive[cut], at: Int64(cut.lowerBound)) { bytes, place in
        #expect(range.contains(place) && place + Int64(bytes.count) <= range.upperBound)
        device.replaceSubrange(Int(place)..<Int(place) + bytes.count, with: bytes)
      }
    }
    #expect(device == whole)
  }

  @Test func `it is kept in bytes`() throws {
    let (_, layout, _) = try Self.read(try Self.archive(), .aligned, step: 1 << 20)
    let bytes = layout.encoded() + [1, 2, 3]
    var rest = bytes[...]
    let back = try ArchiveLayout(decoding: &rest)
    #expect(back == layout)
    #expect(rest == [1, 2, 3])
    var none: ArraySlice<UInt8> = [1, 2, 3]
    let verbatim = try ArchiveLayout(decoding: &none)
    #expect(verbatim == .verbatim && none == [1, 2, 3])
    // Whatever is damaged is told, or gives places that fit.
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<5000 {
      var damaged = layout.encoded()
      damaged[Int.random(in: 8..<damaged.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      var input = damaged.prefix(Int.random(in: 8...damaged.count, using: &generator))
      if let found = try? ArchiveLayout(decoding: &input) {
        #expect(found.deviceBytes(archive: found.contentEnd) <= 1 << 61)
      }
    }
  }

  @Test func `places that cannot be are refused`() {
    var layout = ArchiveLayout.aligned
    #expect(layout.place(512, length: 0) == nil)
    #expect(layout.place(512, length: -1) == nil)
    #expect(layout.place(1 << 60, length: 1 << 60) == nil)
    #expect(layout.place(512, length: 100) == 4096)
    #expect(layout.place(600, length: 100) == nil)
    #expect(layout.place(1024, length: 1 << 60) == nil)
    #expect(layout.place(1024, length: 5) == 8192)
  }
}
