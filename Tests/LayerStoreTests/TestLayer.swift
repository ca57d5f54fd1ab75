import EROFS
import EStargz
import Foundation
import JSONDocument
import LayerStore
import OCI
import TestSupport

/// A layer as the store gets it, with its whole content to compare with.
struct TestLayer: Sendable {
  let description: LayerDescription
  let tree: LayerTree
  let blob: TestBlob
  /// The data device as it must be in the end.
  let device: [UInt8]
  var key: LayerKey { description.key }

  private init(_ content: LayerContent, _ tree: LayerTree, deviceBytes: Int64, blob: [UInt8], device: [UInt8]) throws {
    self.tree = tree
    self.blob = TestBlob(blob)
    self.device = device
    description = LayerDescription(
      key: LayerKey(Digest(of: blob)), origin: try ImageReference("registry.test/layers:1"), content: content,
      deviceBytes: deviceBytes, inodes: tree.nodes.count, blobBytes: Int64(blob.count))
  }

  /// Writes the metadata image.
  func writeMetadata(_ sink: inout FileSink) throws {
    try EROFSWriter(tree, options: metadataOptions).write(to: &sink)
  }

  var metadataOptions: EROFSOptions {
    var blockSize = EROFSOptions.BlockSize.page
    if case .spans(_, let layout) = description.content, layout.isVerbatim { blockSize = .tar }
    return EROFSOptions(blockSize: blockSize, deviceBytes: [description.deviceBytes])
  }

  // MARK: Where layers come from

  /// Made by another program; see Tests/Fixtures/layers.
  static func fixture(_ name: String) throws -> TestLayer {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<2 { url.deleteLastPathComponent() }
    let directory = url.appendingPathComponent("Fixtures/layers")
    func bytes(_ file: String) throws -> [UInt8] { Array(try Data(contentsOf: directory.appendingPathComponent(file))) }
    guard let descriptor = Descriptor(json: try JSONValue(parsing: try bytes("\(name).json"))) else {
      throw CocoaError(.fileReadCorruptFile)
    }
    let blob = try bytes("\(name).layer")
    let location =
      try TOCLocation(descriptor)
      ?? TOCLocation(footer: Array(blob.suffix(Int(TOCLocation.footerBytes))), of: descriptor)
    let toc =
      try location.range.map { Array(blob[Int($0.lowerBound)..<Int($0.upperBound)]) } ?? bytes("\(name)-toc.layer")
    return try TestLayer(try LazyLayer(toc: toc, at: location, contentEnd: descriptor.size), blob)
  }

  private init(_ layer: LazyLayer, _ blob: [UInt8]) throws {
    var device = [UInt8](repeating: 0, count: Int(layer.deviceBytes))
    for chunk in layer.chunks.chunks where !chunk.isZeros {
      let range = Int(chunk.blobRange.lowerBound)..<Int(chunk.blobRange.upperBound)
      try ChunkDecoder(layer.format).decode([chunk], from: blob[range]) { chunk, content in
        device.replaceSubrange(Int(chunk.deviceOffset)..<Int(chunk.deviceOffset + chunk.length), with: content)
      }
    }
    try self.init(
      .chunks(layer.chunks, layer.format), layer.tree, deviceBytes: layer.deviceBytes, blob: blob, device: device)
  }

  /// Files `f0`, `f1`, … of these sizes, with content that compresses by half.
  static func archive(_ sizes: [Int], seed: UInt64 = 1) throws -> [UInt8] {
    var writer = TarWriter([UInt8]())
    for (index, size) in sizes.enumerated() {
      try writer.append(
        TarEntry("f\(index)", .file(size: Int64(size)), mode: 0o755), content: content(size, seed + UInt64(index)))
    }
    try writer.finish()
    return writer.sink
  }

  static func content(_ size: Int, _ seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      for index in 0..<size {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        buffer[index] = UInt8(truncatingIfNeeded: state) & 0x0F | 0x40
      }
      count = size
    }
  }

  /// Converted to a format with a table of contents.
  static func converted(
    _ sizes: [Int], to format: LayerFormat = .estargz, chunkBytes: Int64 = 1 << 20, seed: UInt64 = 1
  ) async throws -> TestLayer {
    try await converted(try archive(sizes, seed: seed), to: format, chunkBytes: chunkBytes)
  }

  /// One file `program` that can be executed.
  static func converted(program: [UInt8]) async throws -> TestLayer {
    var writer = TarWriter([UInt8]())
    try writer.append(TarEntry("program", .file(size: Int64(program.count)), mode: 0o755), content: program)
    try writer.finish()
    return try await converted(writer.sink, to: .zstdChunked, chunkBytes: 128 << 10)
  }

  private static func converted(_ archive: [UInt8], to format: LayerFormat, chunkBytes: Int64) async throws -> TestLayer
  {
    var blob: [UInt8] = []
    let conversion = LayerConversion(to: format, level: 1, chunkBytes: chunkBytes)
    let converted = try await conversion.convert(MemoryBytes(archive), to: &blob)
    let location =
      try TOCLocation(converted.descriptor)
      ?? TOCLocation(footer: Array(blob.suffix(Int(TOCLocation.footerBytes))), of: converted.descriptor)
    guard let range = location.range else { throw CocoaError(.fileReadCorruptFile) }
    let toc = Array(blob[Int(range.lowerBound)..<Int(range.upperBound)])
    return try TestLayer(try LazyLayer(toc: toc, at: location, contentEnd: Int64(blob.count)), blob)
  }

  /// A plain layer that was read once.
  /// - Parameter layout: `verbatim` as stores of earlier releases have it.
  static func plain(
    _ sizes: [Int], _ compression: LayerCompression = .gzip, spanBytes: Int64 = 1 << 20, seed: UInt64 = 1,
    layout: ArchiveLayout = .aligned
  )
    throws -> TestLayer
  {
    let archive = try archive(sizes, seed: seed)
    var blob = archive
    switch compression {
    case .gzip:
      var sink = try GzipSink([UInt8](), level: 1)
      try sink.write(archive[...])
      try sink.finish()
      blob = sink.base
    case .zstd:
      let compressor = try ZstdCompressor()
      blob = try stride(from: 0, to: archive.count, by: 700_000).flatMap {
        try compressor.frame(archive[$0..<min(archive.count, $0 + 700_000)])
      }
    case .none: break
    }
    let indexer = try SeekIndexer(compression, spanBytes: spanBytes)
    var reader = TarLayerReader(layout)
    var contents: [(ArraySlice<UInt8>, Int64)] = []
    try indexer.consume(blob[...]) { try reader.consume($0) { contents.append(($0, $1)) } }
    let index = try indexer.finish()
    let tree = try reader.finish()
    var device = archive
    if !layout.isVerbatim {
      device = [UInt8](repeating: 0, count: Int(reader.layout.deviceBytes(archive: index.archiveBytes)))
      for (bytes, place) in contents { device.replaceSubrange(Int(place)..<Int(place) + bytes.count, with: bytes) }
    }
    return try TestLayer(
      .spans(index, reader.layout), tree, deviceBytes: Int64(device.count), blob: blob, device: device)
  }

  /// Content of the file `f<index>`, from the device.
  func file(_ name: String) -> [UInt8] {
    guard let node = tree.node(at: Array(name.utf8)), case .file(_, let extents) = tree.nodes[node].content else {
      return []
    }
    return extents.flatMap { device[Int($0.deviceOffset)..<Int($0.deviceOffset + $0.length)] }
  }

  /// Digests of all files by path.
  var digests: [String: String] {
    var found: [String: String] = [:]
    tree.forEachName { path, number in
      guard case .file(let size, let extents) = tree.nodes[number].content else { return }
      let content = extents.flatMap { device[Int($0.deviceOffset)..<Int($0.deviceOffset + $0.length)] }
      guard content.count == Int(size) else { return }
      found[String(decoding: path, as: UTF8.self)] = Digest(of: content).hex
    }
    return found
  }
}
