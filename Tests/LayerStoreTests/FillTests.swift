import EStargz
import Foundation
import LayerStore
import LinuxSystem
import OCI
import Testing

/// Layers that are read before their bytes are there, by the real kernel.
@Suite struct FillTests {
  static let fixtures = [
    "estargz", "estargz-minchunk", "estargz-external", "zstdchunked-stargz", "zstdchunked-skopeo-1.9",
    "zstdchunked-skopeo-1.22",
  ]

  @Test(arguments: fixtures) func `a layer of another program reads byte by byte as it should`(_ name: String)
    async throws
  {
    let layer = try TestLayer.fixture(name)
    try await withStore([layer]) { store, _ in
      let root = try await store.mounted(layer)
      #expect(layer.blob.fetches.isEmpty)
      // Names and attributes are there without a byte of the layer.
      try await shell.succeed("ls -lR '\(root)' && find '\(root)' -printf '%m %u %s %l'")
      #expect(layer.blob.fetches.isEmpty)
      #expect(try await digests(root) == layer.digests)
      #expect(layer.blob.fetchedBytes > 0)
    }
  }

  @Test(arguments: [LayerCompression.gzip, .zstd, .none])
  func `a plain layer that was read before is lazy`(_ compression: LayerCompression) async throws {
    let layer = try TestLayer.plain([3_000_000, 10, 0, 5_000_000, 4096, 70_001], compression)
    try await withStore([layer]) { store, _ in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f4") == layer.digests["f4"])
      #expect(layer.blob.fetchedBytes < layer.blob.bytes.count / 2)
      #expect(try await digests(root) == layer.digests)
    }
  }
}
