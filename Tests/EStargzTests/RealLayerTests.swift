import EStargz
import OCI
import TestSupport
import Testing

/// Layers that other programs made.
@Suite struct RealLayerTests {
  static let names = [
    "estargz", "estargz-minchunk", "estargz-external", "zstdchunked-stargz", "zstdchunked-skopeo-1.9",
    "zstdchunked-skopeo-1.22",
  ]

  @Test(arguments: names) func `every file is the same as in the plain layer`(_ name: String) throws {
    let fixture = try Fixture(name)
    let layer = try fixture.lazyLayer(external: try Fixture("estargz-external-toc"))
    #expect(layer.chunks.isVerifiable)
    let tar = try gunzip(try Fixture("plain").blob)
    // eStargz keeps times to the second.
    let withFractions = name.contains("skopeo")
    let expected = description(of: try tarLayer(tar), device: tar, withFractions: withFractions)
    let found = description(
      of: layer.tree, device: try device(of: layer, from: fixture.blob), withFractions: withFractions)
    #expect(expected.count == 39)
    for (path, line) in expected { #expect(found[path] == line, "\(path)") }
    #expect(found.count == expected.count)
  }

  @Test(arguments: [
    ("zstdchunked-stargz", LayerFormat.zstdChunked), ("zstdchunked-skopeo-1.9", .zstdChunked),
    ("zstdchunked-skopeo-1.22", .zstdChunked),
  ]) func `the footer says the same as the annotations`(_ name: String, _ format: LayerFormat) throws {
    let fixture = try Fixture(name)
    let annotated = try #require(TOCLocation(fixture.descriptor))
    let footer = try TOCLocation(footer: Array(fixture.blob.suffix(72)), of: fixture.descriptor)
    #expect(annotated.range == footer.range)
    #expect(annotated.uncompressedBytes == footer.uncompressedBytes)
    #expect(annotated.tarSplitRange == footer.tarSplitRange)
    #expect(annotated.format == format && footer.format == format)
    #expect(annotated.isVerifiable)
  }

  @Test func `a plain layer has no footer`() throws {
    let fixture = try Fixture("plain")
    #expect(TOCLocation(fixture.descriptor) == nil)
    #expect(throws: LayerTOCError(.noFooter)) { try fixture.location() }
  }

  @Test func `a table other than the manifest's is refused`() throws {
    for name in ["estargz", "zstdchunked-stargz", "zstdchunked-skopeo-1.22"] {
      let fixture = try Fixture(name)
      var location = try fixture.location()
      let range = try #require(location.range)
      let toc = Array(fixture.blob[Int(range.lowerBound)..<Int(range.upperBound)])
      location.tocDigest = Digest(of: [1])
      #expect(throws: LayerTOCError(.wrongDigest)) {
        try LazyLayer(toc: toc, at: location, contentEnd: fixture.descriptor.size)
      }
    }
  }

  @Test(arguments: ["estargz", "estargz-minchunk", "zstdchunked-skopeo-1.22"])
  func `damaged content is never given out`(_ name: String) throws {
    let fixture = try Fixture(name)
    let layer = try fixture.lazyLayer()
    let decoder = ChunkDecoder(layer.format)
    var random = SeededGenerator(seed: 3)
    for chunk in layer.chunks.chunks where !chunk.isZeros {
      var blob = Array(fixture.blob[Int(chunk.blobRange.lowerBound)..<Int(chunk.blobRange.upperBound)])
      blob[Int.random(in: 0..<blob.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      do {
        try decoder.decode([chunk], from: blob[...]) { chunk, content in
          #expect(chunk.digest == SHA256Bytes(of: content))
        }
      } catch { #expect(error is ChunkError) }
      #expect(throws: ChunkError.self) { try decoder.decode([chunk], from: blob.prefix(4)) { _, _ in } }
    }
  }
}
