import EStargz
import OCI
import Testing

@testable import LazyImages

@Suite struct TableFetchTests {
  private let image: ImageReference

  init() throws { image = try ImageReference("registry.test/shop/web:1") }

  private func read(_ layer: TestLayer) async throws -> (TableFetch.Finding, MemoryOrigins) {
    let origins = MemoryOrigins([layer])
    let fetch = TableFetch(
      descriptor: layer.descriptor,
      blob: origins.blob(layer.descriptor.digest, bytes: layer.descriptor.size, of: image))
    return (try await fetch.read(), origins)
  }

  @Test(
    "a table of contents costs one request",
    arguments: [
      "estargz", "estargz-minchunk", "zstdchunked-stargz", "zstdchunked-skopeo-1.9", "zstdchunked-skopeo-1.22",
    ])
  func oneRequest(name: String) async throws {
    let (finding, origins) = try await read(try TestLayer(fixture: name))
    guard case .lazy(let layer) = finding else {
      Issue.record("\(name) is not lazy: \(finding)")
      return
    }
    #expect(layer.chunks.isVerifiable)
    #expect(origins.seen.ranges.count == 1)
  }

  @Test("a plain layer costs no request at all") func plain() async throws {
    let (finding, origins) = try await read(try TestLayer(fixture: "plain"))
    guard case .plain = finding else {
      Issue.record("a plain layer was taken for a lazy one")
      return
    }
    #expect(origins.seen.ranges.isEmpty)
  }

  @Test("a table that lies in another image leaves the layer a plain one") func external() async throws {
    guard case .plain = try await read(try TestLayer(fixture: "estargz-external")).0 else {
      Issue.record("the external table was found")
      return
    }
  }

  @Test("a table with another digest than the manifest names is not used") func wrongDigest() async throws {
    var layer = try TestLayer(fixture: "estargz")
    layer.descriptor.annotations[TOCAnnotation.tocDigest] = Digest(of: Array("another".utf8)).description
    guard case .plain(let why) = try await read(layer).0 else {
      Issue.record("a table with a wrong digest was used")
      return
    }
    #expect(why.contains("manifest"))
  }

  @Test("any byte of the blob may be wrong: the answer is a layer or a reason, never a crash", arguments: 0..<40)
  func damaged(seed: Int) async throws {
    var layer = try TestLayer(fixture: seed % 2 == 0 ? "estargz" : "zstdchunked-skopeo-1.22")
    // The table and the footer are at the end.
    let place = layer.blob.count - 1 - (seed * 97) % min(4000, layer.blob.count)
    layer.blob[place] ^= UInt8(1 << (seed % 8))
    if case .lazy(let read) = try await read(layer).0 {
      // Bytes that nothing is made of, as padding: the table's digest was right.
      #expect(read.chunks.isVerifiable)
    }
  }
}
