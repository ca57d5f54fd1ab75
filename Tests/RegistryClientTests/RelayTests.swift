import OCI
import PlatformHarness
import Testing

@testable import RegistryClient

@Suite("The relay of the benchmarks")
struct RelayTests {
  @Test("It adds a round-trip time, caps the bandwidth, and counts bytes and requests")
  func line() async throws {
    let image = TestImage(layerBytes: 2 << 20)
    let registry = try await LyingRegistry { image.answer($0) }
    let relay = try await NetworkRelay(to: registry.port, roundTrip: .milliseconds(40), bytesPerSecond: 8e6)
    let client = RegistryClient.quick()
    let blob = client.blob(
      try ImageReference("\(relay.host)/app:1"), digest: image.layerDigest, size: Int64(image.layer.count))
    let clock = ContinuousClock()
    // Two round trips: a connection, a request.
    let first = try await clock.measure { _ = try await blob.fetch(0..<1, urgency: .demand) }
    #expect(first >= .milliseconds(80))
    relay.reset()
    // One round trip more for a request, and a quarter of a second for two megabytes.
    let whole = try await clock.measure {
      let bytes = try await blob.fetch(0..<blob.size, urgency: .demand)
      #expect(bytes == image.layer)
    }
    #expect(whole >= .milliseconds(40 + 262))
    #expect(relay.counts.requests == 1)
    #expect(relay.counts.bytes > blob.size && relay.counts.bytes < blob.size + 1000)
    await client.shutdown()
    await relay.stop()
    await registry.stop()
  }
}
