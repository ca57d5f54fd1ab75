import EROFS
import EStargz
import Foundation
import LayerStore
import LinuxSystem
import Logging
import OCI
import TestSupport
import Testing

@testable import LazyImages

/// What a layer is, found out by reading its whole blob.
@Suite(.serialized) struct ProofTests {
  /// Tables that other people's tools made; none of them has digests of archives.
  private static let names = ["estargz", "zstdchunked-skopeo-1.22", "zstdchunked-stargz", "plain"]

  private func with(
    _ origins: MemoryOrigins, proves: Bool = false,
    _ body: @escaping @Sendable (LayerResolver, LayerStore) async throws -> Void
  ) async throws {
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(origins, in: directory, proves: proves, body)
    }
  }

  private func request(_ layer: TestLayer) throws -> LayerRequest {
    LayerRequest(
      image: try ImageReference("registry.test/shop/web:1"), manifest: Digest(of: Array("manifest".utf8)),
      layer: layer.descriptor.digest, labels: [:])
  }

  /// The digest of what a layer decompresses to.
  private func diffID(_ layer: TestLayer) throws -> Digest {
    let indexer = try SeekIndexer(LayerCompression(firstBytes: layer.blob.prefix(8)))
    try indexer.consume(layer.blob[...]) { _ in }
    return try indexer.finish().diffID
  }

  @Test(arguments: names) func `a layer is proven to be its archive`(_ name: String) async throws {
    let layer = try TestLayer(fixture: name)
    try await with(MemoryOrigins([layer])) { resolver, store in
      let key = try #require(try await resolver.resolve(request(layer)))
      let identity = try await resolver.prove(key)
      #expect(identity == LayerIdentity(diffID: try diffID(layer), showsArchive: true))
      #expect(await resolver.identity(of: key) == identity)
      // What it lacked came on the way.
      try await eventually("the layer is complete") { await store.state(of: key) == .complete }
    }
  }

  @Test(arguments: names.dropLast())
  func `a mounted layer is completed and proven in the background, with each byte once`(
    _ name: String
  ) async throws {
    let layer = try TestLayer(fixture: name)
    let origins = MemoryOrigins([layer])
    try await with(origins, proves: true) { resolver, store in
      let key = try #require(try await resolver.resolve(request(layer)))
      let before = origins.seen.ranges.count
      _ = try await resolver.mount(key)
      try await eventually("the layer is proven") { await resolver.identity(of: key)?.showsArchive == true }
      try await eventually("the layer is complete") { await store.state(of: key) == .complete }
      #expect(origins.seen.ranges.dropFirst(before).reduce(0) { $0 + $1.count } == layer.blob.count)
    }
  }

  /// What a table may say of a layer that is not so.
  enum Lie: CaseIterable, Sendable { case setUserID, fileMore, otherContent, contentMore }

  /// Chunks have digests, so that a reader gets what the table lists; that the archive lists the same, nobody said.
  @Test(arguments: Lie.allCases) func `a table that shows other files than the archive is found out`(_ lie: Lie)
    async throws
  {
    let layer = try TestLayer(fixture: "zstdchunked-stargz")
    let origins = MemoryOrigins([layer])
    let image = try ImageReference("registry.test/shop/web:1")
    let blob = origins.blob(layer.descriptor.digest, bytes: layer.descriptor.size, of: image)
    guard case .lazy(let lazy) = try await TableFetch(descriptor: layer.descriptor, blob: blob).read() else {
      throw CocoaError(.fileReadCorruptFile)
    }
    var (tree, chunks, deviceBytes) = (lazy.tree, lazy.chunks.chunks, lazy.deviceBytes)
    switch lie {
    case .setUserID:
      let file = try #require(
        tree.nodes.indices.first { tree.nodes[$0].content != .whiteout && !tree.nodes[$0].isDirectory })
      tree.nodes[file].attributes.mode |= 0o4000
    case .fileMore:
      tree.nodes[0].content = .directory(
        (tree.children(of: 0) + [.init(name: Array("zz".utf8), node: tree.nodes.count)]).sorted {
          $0.name.lexicographicallyPrecedes($1.name)
        })
      tree.nodes.append(.init(.fifo, FileAttributes()))
    case .otherContent: chunks[0].digest = SHA256Bytes(of: [1, 2, 3])
    case .contentMore:
      chunks.append(
        Chunk(deviceOffset: deviceBytes, length: 1, blobOffset: 0, blobLength: 1, digest: SHA256Bytes(of: [0])))
      deviceBytes += 4096
    }
    let description = LayerDescription(
      key: LayerKey(layer.descriptor.digest), origin: image, content: .chunks(ChunkTable(chunks), lazy.format),
      deviceBytes: deviceBytes, inodes: 1, blobBytes: layer.descriptor.size)
    let writer = try EROFSWriter(tree, options: EROFSOptions(deviceBytes: [deviceBytes]))
    try await with(origins) { _, store in
      try await store.add(description) { try writer.write(to: &$0) }
      let identity = try await store.prove(description.key)
      #expect(identity == LayerIdentity(diffID: try diffID(layer), showsArchive: false))
    }
  }
}
