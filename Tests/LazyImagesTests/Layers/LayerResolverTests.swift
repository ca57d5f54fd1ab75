import Foundation
import LayerStore
import LinuxSystem
import Logging
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// The resolver over a real store, real mounts and layers that other people's tools made.
@Suite(.serialized) struct LayerResolverTests {
  private static let names = ["estargz", "zstdchunked-skopeo-1.22", "zstdchunked-stargz", "plain"]

  private func request(_ layer: TestLayer, following: [TestLayer] = []) throws -> LayerRequest {
    LayerRequest(
      image: try ImageReference("registry.test/shop/web:1"), manifest: Digest(of: Array("manifest".utf8)),
      layer: layer.descriptor.digest, following: following.map(\.descriptor.digest), labels: [:])
  }

  /// Every file with its attributes and the digest of its content.
  private func listing(of directory: String) async throws -> String {
    try await Shell().succeed(
      """
      cd \(directory) && find . -printf '%P %y %m %U:%G %s %T@ %n %l\\n' | sort; \
      find . -type f | sort | xargs -d '\\n' sha256sum; getfattr -R -h -d -m - -e hex . 2>/dev/null | sort
      """)
  }

  @Test("every kind of layer shows the same files, with the bytes that its blob holds") func sameFiles() async throws {
    let layers = try Self.names.map { try TestLayer(fixture: $0) }
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(MemoryOrigins(layers), in: directory) { resolver, _ in
        var listings: [String] = []
        for layer in layers {
          let key = try #require(try await resolver.resolve(request(layer, following: layers)))
          listings.append(try await listing(of: try await resolver.mount(key)))
        }
        // What tools keep of times differs below the second; GNU tar's posix format keeps all of it.
        let whole = listings.map { $0.replacing(/(\d{9,})\.\d+/) { "\($0.1)" } }
        #expect(whole[3].count > 1000)
        for index in 0..<3 { #expect(whole[index] == whole[3], "\(Self.names[index])") }
      }
    }
  }

  @Test("all layers begin with the first; a second request for one costs nothing") func together() async throws {
    let layers = try Self.names.map { try TestLayer(fixture: $0) }
    let origins = MemoryOrigins(layers)
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(origins, in: directory) { resolver, store in
        _ = try await resolver.resolve(request(layers[0], following: layers))
        for layer in layers.dropFirst() {
          let key = LayerKey(layer.descriptor.digest)
          while await store.state(of: key) == nil { try await Task.sleep(for: .milliseconds(1)) }
        }
        let before = origins.seen
        #expect(before.manifests == 1)
        #expect(before.ranges.count == 3)
        #expect(before.streams == 1)
        for layer in layers {
          let key = try await resolver.resolve(request(layer, following: layers))
          #expect(key != nil)
        }
        #expect(origins.seen.ranges.count == before.ranges.count)
        #expect(await resolver.decisions().mapValues(\.mode)[layers[3].descriptor.digest] == .streamed)
        #expect(await resolver.decisions().mapValues(\.mode)[layers[0].descriptor.digest] == .lazy)
      }
    }
  }

  @Test("a plain layer whose content was given back is read lazily, with the same bytes") func evicted() async throws {
    let layer = try TestLayer(fixture: "plain")
    let origins = MemoryOrigins([layer])
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(origins, in: directory) { resolver, store in
        let key = try #require(try await resolver.resolve(request(layer)))
        let before = try await listing(of: try await resolver.mount(key))
        await #expect(throws: LayerStoreError.self) { try await store.evict(key) }
        try await resolver.release(key)
        try await store.evict(key)
        let usage = try await store.usage(of: key)
        #expect(usage.bytes < 200_000)
        _ = try await resolver.resolve(request(layer))
        #expect(await resolver.decisions()[layer.descriptor.digest]?.mode == .indexed)
        #expect(origins.seen.ranges.isEmpty)
        let after = try await listing(of: try await resolver.mount(key))
        #expect(after == before)
        #expect(origins.seen.streams == 1)
        #expect(!origins.seen.ranges.isEmpty)
      }
    }
  }

  @Test("what a start has read is fetched ahead at the next") func learned() async throws {
    let layer = try TestLayer(fixture: "estargz")
    let origins = MemoryOrigins([layer])
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(origins, in: directory) { resolver, store in
        let key = try #require(try await resolver.resolve(request(layer)))
        let mounted = try await resolver.mount(key)
        let file = try await Shell().succeed("find \(mounted) -type f -size +20k | sort | head -1")
        _ = try await Shell().succeed("cat '\(file.trimmingCharacters(in: .whitespacesAndNewlines))' > /dev/null")
        #expect(await !store.recordedReads(of: key).isEmpty)
        try await resolver.release(key)
        try await store.evict(key)
        await store.forgetReads(of: key)
        let before = origins.seen.ranges.count
        _ = try await resolver.resolve(request(layer))
        while origins.seen.ranges.count == before { try await Task.sleep(for: .milliseconds(1)) }
        guard case .filling = await store.state(of: key) else {
          Issue.record("the layer is complete though only a part was read")
          return
        }
      }
    }
  }

  @Test("a hostile layer is refused by its digest, nothing of it stays") func hostile() async throws {
    // Our own writer refuses such names; a name of the same length is put in afterwards, with its checksum.
    var writer = TarWriter([UInt8]())
    try writer.append(TarEntry("xx/xx", .fifo))
    try writer.finish()
    var archive = writer.sink
    archive.replaceSubrange(0..<5, with: Array("../xx".utf8))
    archive.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
    let sum = String(archive[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
    archive.replaceSubrange(
      148..<156, with: Array((String(repeating: "0", count: 6 - sum.count) + sum).utf8) + [0, 0x20])
    let layer = TestLayer(plain: archive)
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(MemoryOrigins([layer]), in: directory) { resolver, store in
        await #expect(throws: LayerRefused.self) { try await resolver.resolve(request(layer)) }
        #expect(await store.layers().isEmpty)
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/layers")
        .filter { $0.contains(layer.descriptor.digest.hex) }
      #expect(left.isEmpty)
    }
  }

  @Test("what is no archive is left to containerd, which knows what to say") func noArchive() async throws {
    for bytes in [[UInt8](repeating: 0x41, count: 5000), [], [1, 2, 3]] {
      let layer = TestLayer(plain: bytes)
      try await ResolverFixture.inDirectory { directory in
        try await ResolverFixture.with(MemoryOrigins([layer]), in: directory) { resolver, store in
          let none = try await resolver.resolve(request(layer))
          #expect(none == nil)
          #expect(await resolver.decisions()[layer.descriptor.digest]?.mode == .unpacked)
          #expect(await store.layers().isEmpty)
        }
      }
    }
  }

  @Test("bytes of another digest leave the layer to containerd, and are tried again next time") func otherBytes()
    async throws
  {
    let good = try TestLayer(fixture: "plain")
    var damaged = good
    damaged.blob[50] ^= 1
    let layer = damaged
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(MemoryOrigins([layer]), in: directory) { resolver, store in
        let none = try await resolver.resolve(request(layer))
        #expect(none == nil)
        #expect(await resolver.decisions()[layer.descriptor.digest]?.mode == .unpacked)
        #expect(await store.layers().isEmpty)
      }
      try await ResolverFixture.with(MemoryOrigins([good]), in: directory) { resolver, _ in
        let some = try await resolver.resolve(request(good))
        #expect(some != nil)
      }
    }
  }

  @Test("an absent registry leaves new layers to containerd, and costs known ones nothing") func away() async throws {
    let layers = try ["estargz", "plain"].map { try TestLayer(fixture: $0) }
    let origins = MemoryOrigins(layers)
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(origins, in: directory) { resolver, _ in
        _ = try await resolver.resolve(request(layers[0]))
        origins.goAway()
        let none = try await resolver.resolve(request(layers[1]))
        #expect(none == nil)
        let some = try await resolver.resolve(request(layers[0]))
        #expect(some != nil)
      }
      // A restart asks nobody for what is known.
      try await ResolverFixture.with(origins, in: directory) { resolver, _ in
        let key = try #require(try await resolver.resolve(request(layers[0])))
        let mounted = try await resolver.mount(key)
        let names = try await Shell().succeed("ls \(mounted)")
        #expect(!names.isEmpty)
      }
    }
  }

  @Test("what a start read elsewhere is fetched before anybody reads, and kept") func shared() async throws {
    let layer = try await TestLayer(try Self.archive(files: 40, bytes: 20_000), .eStargz)
    let origins = MemoryOrigins([layer])
    let profile = StartProfile(layers: [layer.descriptor.digest: [409_600..<450_560]])
    // As it comes from a registry.
    origins.share(try #require(StartProfile(annotations: profile.annotations(created: "2026-01-01T00:00:00Z"))))
    try await ResolverFixture.inDirectory { directory in
      try await ResolverFixture.with(origins, in: directory) { resolver, _ in
        _ = try #require(try await resolver.resolve(request(layer)))
        try await eventually("it is kept") {
          try StartProfiles(directory: "\(directory)/profiles").profile(of: Digest(of: Array("manifest".utf8)))
            == profile
        }
        try await eventually("its table, and what the profile names, are fetched") { origins.seen.ranges.count >= 2 }
        #expect(origins.seen.streams == 0)
      }
    }
  }

  private static func archive(files: Int, bytes: Int) throws -> [UInt8] {
    var random = SeededGenerator(seed: 5)
    var writer = TarWriter([UInt8]())
    for file in 0..<files {
      try writer.append(
        TarEntry("f\(file)", .file(size: Int64(bytes))),
        content: (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
    try writer.finish()
    return writer.sink
  }
}
