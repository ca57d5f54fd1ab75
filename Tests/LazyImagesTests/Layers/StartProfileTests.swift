import Foundation
import OCI
import TestSupport
import Testing

@testable import LazyImages

/// What is told of an image's start, as it is kept beside the image.
@Suite struct StartProfileTests {
  private static let layer = Digest(of: [1])
  private static let time = "2026-01-01T00:00:00Z"

  @Test func `it comes back in units of 4 KiB, in the order of the start`() throws {
    let profile = StartProfile(layers: [
      Self.layer: [8192..<8193, 0..<4096, 12_288..<20_481], Digest(of: [2]): [0..<1],
    ])
    let back = try #require(StartProfile(annotations: profile.annotations(created: Self.time)))
    #expect(
      back.layers == [
        Self.layer: [8192..<12_288, 0..<4096, 12_288..<24_576], Digest(of: [2]): [0..<4096],
      ])
  }

  @Test func `of a long one the first reads are kept`() {
    let ranges = (0..<100_000).map { (number: Int64) -> Range<Int64> in
      let start = number * 1_000_000 * 4096
      return start..<start + 4096
    }
    let annotations = StartProfile(layers: [Self.layer: ranges]).annotations(created: Self.time)
    #expect(annotations.values.allSatisfy { $0.utf8.count < 64 << 10 })
    let back = StartProfile(annotations: annotations)?.layers[Self.layer] ?? []
    #expect(back.count > 1000 && Array(ranges.prefix(back.count)) == back)
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"sha256:00\":\"0+1\"}", "{\"LAYER\":7}", "{\"LAYER\":\"\"}",
    "{\"LAYER\":\"-1+1,1+0,1+-1,a+b,1,+,9223372036854775807+1,1+9223372036854775807\"}",
  ])
  func `what is malformed is no profile`(text: String) {
    let text = text.replacingOccurrences(of: "LAYER", with: "\(Self.layer)")
    #expect(StartProfile(annotations: ["dev.nagaya.start-profile.v1": text]) == nil)
  }

  @Test func `nobody has more fetched by it than a start can want`() throws {
    let text = "{\"\(Self.layer)\":\"0+1000000000,5+1,0+60000,0+60000\"}"
    let profile = try #require(StartProfile(annotations: ["dev.nagaya.start-profile.v1": text]))
    #expect(profile.layers[Self.layer]?.reduce(0) { $0 + $1.count } ?? 0 <= 256 << 20)
    let first: Range<Int64>? = profile.layers[Self.layer]?.first
    #expect(first?.lowerBound == 20_480 && first?.upperBound == 24_576)
  }

  @Test func `any bytes are taken without a trap`() {
    var random = SeededGenerator(seed: 3)
    let whole = Array("{\"\(Self.layer)\":\"12+3,4000+17,9+1\"}".utf8)
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0..<3 {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let text = String(decoding: bytes, as: UTF8.self)
      if let profile = StartProfile(annotations: ["dev.nagaya.start-profile.v1": text]) {
        #expect(profile.layers.values.joined().allSatisfy { $0.lowerBound >= 0 && !$0.isEmpty })
      }
    }
  }
}
