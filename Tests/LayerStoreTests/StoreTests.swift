import EROFS
import EStargz
import Foundation
import LayerStore
import LinuxSystem
import OCI
import TestSupport
import Testing

/// What is in a store, how it gets there, and how it becomes complete.
@Suite struct StoreTests {
  @Test(arguments: [true, false], FillPath.allCases) func `a complete layer is read without anybody being asked`(
    _ isChunked: Bool, _ path: FillPath
  )
    async throws
  {
    let sizes = [1_000_000, 300_000, 0, 77]
    let layer = isChunked ? try await TestLayer.converted(sizes) : try TestLayer.plain(sizes)
    try await withStore([layer], by: path) { store, place in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f1") == layer.digests["f1"])
      try await store.complete(layer.key)
      #expect(await store.state(of: layer.key) == .complete)
      layer.blob.forget()
      await store.forgetReads(of: layer.key)
      try await shell.succeed("echo 3 > /proc/sys/vm/drop_caches")
      #expect(try await digests(root) == layer.digests)
      #expect(layer.blob.fetches.isEmpty)
      // Each question would have been recorded.
      #expect(await store.recordedReads(of: layer.key).isEmpty)
      let data = try SmallFile.read("\(place.directory)/\(layer.key.blob.hex)/data")
      #expect(Array(data.prefix(layer.device.count)) == layer.device)
    }
  }

  @Test(arguments: FillPath.allCases) func `the background completes what is mounted`(_ path: FillPath) async throws {
    let layers = [try await TestLayer.converted([3_000_000]), try TestLayer.plain([2_000_000], seed: 7)]
    try await withStore(layers, by: path, configure: { $0.backgroundBytesPerSecond = nil }) { store, _ in
      for layer in layers { _ = try await store.mounted(layer) }
      try await eventually("both are complete") {
        await store.layers().allSatisfy { $0.state == .complete }
      }
      for layer in layers {
        let causes = Set(layer.blob.fetches.map(\.urgency))
        #expect(causes == [.background])
        // Each byte once.
        #expect(layer.blob.fetchedBytes <= layer.blob.bytes.count + 4096)
      }
    }
  }

  @Test func `the background keeps to its pace`() async throws {
    let layer = try await TestLayer.converted([8_000_000], chunkBytes: 128 << 10)
    try await withStore(
      [layer],
      configure: {
        $0.backgroundBytesPerSecond = 1 << 20
        $0.backgroundRequests = 1
        $0.windowBytes = (64 << 10)...(128 << 10)
      }
    ) { store, _ in
      let start = ContinuousClock.now
      _ = try await store.mounted(layer)
      try await eventually("something was fetched") { layer.blob.fetchedBytes > 1 << 20 }
      let seconds = Double((ContinuousClock.now - start).components.seconds) + 1
      #expect(Double(layer.blob.fetchedBytes) < (seconds + 1) * Double(1 << 20))
    }
  }

  @Test(arguments: FillPath.allCases) func `what is prefetched is not waited for`(_ path: FillPath) async throws {
    let layer = try await TestLayer.converted([500_000, 500_000, 2_000_000])
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f1") == layer.digests["f1"])
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      let learned = await store.recordedReads(of: layer.key)
      #expect(learned.count >= 2 && learned[0].lowerBound > learned[learned.count - 1].lowerBound)
      try await store.unmount(layer.key)
      try await store.remove(layer.key)
      layer.blob.forget()
      let again = try await store.mounted(layer)
      try await store.prefetch(layer.key, learned)
      try await eventually("what was learned is there") {
        guard case .filling(let present, _) = await store.state(of: layer.key) else { return false }
        return present >= 1_000_000
      }
      let fetches = layer.blob.fetches.count
      #expect(layer.blob.fetches.allSatisfy { $0.urgency == .prefetch })
      #expect(try await sha256("\(again)/f0") == layer.digests["f0"])
      #expect(try await sha256("\(again)/f1") == layer.digests["f1"])
      #expect(layer.blob.fetches.count == fetches)
    }
  }

  @Test func `a stretch of the blob can be prefetched`() async throws {
    let layer = try await TestLayer.converted([500_000, 500_000])
    try await withStore([layer]) { store, _ in
      let root = try await store.mounted(layer)
      try await store.prefetch(layer.key, blob: 0..<200_000)
      try await eventually("it is there") { layer.blob.fetches.first?.urgency == .prefetch }
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
    }
  }

  @Test(arguments: [ArchiveLayout.aligned, .verbatim])
  func `a layer that comes in one stream is complete at once`(layout: ArchiveLayout) async throws {
    let layer = try TestLayer.plain([1_500_000, 20, 4097], layout: layout)
    guard case .spans(let index, let layout) = layer.description.content else { return }
    try await withStore([layer]) { store, place in
      let reception = try store.receive(
        layer.key, origin: layer.description.origin, blobBytes: layer.description.blobBytes)
      for start in stride(from: 0, to: layer.device.count, by: 100_000) {
        try reception.write(layer.device[start..<min(layer.device.count, start + 100_000)], at: Int64(start))
      }
      #expect(await store.state(of: layer.key) == nil)
      try await reception.finish(index, layout, inodes: 4) { try layer.writeMetadata(&$0) }
      #expect(await store.state(of: layer.key) == .complete)
      let root = try await store.mount(layer.key)
      #expect(try await digests(root) == layer.digests)
      #expect(layer.blob.fetches.isEmpty)
      // Programs read in units of this.
      let unit = try await shell.succeed("stat -c %o '\(root)/f0'")
      #expect(unit == (layout.isVerbatim ? "512\n" : "4096\n"))
      // One that is given up leaves nothing, neither by word nor by being forgotten.
      let other = LayerKey(Digest(of: [1]))
      try store.receive(other, origin: layer.description.origin, blobBytes: 1).abort()
      do { _ = try store.receive(other, origin: layer.description.origin, blobBytes: 1) }
      #expect(try Directory.names(in: place.directory) == [layer.key.blob.hex])
    }
  }

  @Test func `layers that cannot be filled in pieces are refused`() async throws {
    let layer = try await TestLayer.converted([100_000])
    guard case .chunks(let table, let format) = layer.description.content else { return }
    func refused(_ change: (inout [Chunk]) -> Void) async throws {
      var chunks = table.chunks
      change(&chunks)
      var description = layer.description
      description.content = .chunks(ChunkTable(chunks), format)
      try await withStore([layer]) { [description] store, place in
        await #expect(throws: LayerStoreError.self) { try await store.add(description, of: layer) }
        let names = try Directory.names(in: place.directory)
        #expect(names == [])
      }
    }
    try await refused { $0[0].digest = nil }
    try await refused { $0[0].length = 1 << 40 }
    try await refused { $0[0].deviceOffset = 1 << 40 }
    try await refused { $0.append($0[0]) }
    try await refused { $0[0].blobOffset = 1 << 40 }
    try await refused { $0[0].innerOffset = 1 << 30 }
    let plain = try TestLayer.plain([9_000_000], spanBytes: 1 << 30).description
    try await withStore([], configure: { $0.pieceLimitBytes = 1 << 20 }) { store, _ in
      await #expect(throws: LayerStoreError.self) { try await store.add(plain, of: layer) }
    }
  }

  @Test(arguments: FillPath.allCases) func `adding twice, mounting twice and unmounting twice change nothing`(
    _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted([100_000])
    try await withStore([layer], by: path) { store, _ in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 { group.addTask { try await store.add(layer.description) { try layer.writeMetadata(&$0) } } }
        try await group.waitForAll()
      }
      let roots = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<4 { group.addTask { try await store.mount(layer.key) } }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      let root = try #require(roots.first)
      #expect(roots.count == 1)
      #expect(try Mounts.table().entries.filter { $0.mountPoint == root }.count == 1)
      await #expect(throws: LayerStoreError.self) { try await store.remove(layer.key) }
      try await store.unmount(layer.key)
      try await store.unmount(layer.key)
      try await store.remove(layer.key)
      await #expect(throws: LayerStoreError.self) { try await store.mount(layer.key) }
    }
  }

  @Test func `a second process is turned away, and a directory that cannot do it is named`() async throws {
    try await withStore([]) { _, place in
      await #expect(throws: LayerStoreError.self) { try await place.run([]) { _ in } }
    }
    let place = try TestPlace()
    defer { try? place.cleanUp() }
    try Directory.make(place.directory)
    try await shell.succeed("mount -t tmpfs tmpfs '\(place.directory)'")
    do {
      try await place.run([]) { _ in }
      Issue.record("tmpfs has no pre-content events")
    } catch LayerStoreError.unsupported(let why) {
      #expect(why.contains("ext4"))
    }
  }

  @Test(arguments: [false, true], FillPath.allCases) func `after a restart nothing that is there is fetched again`(
    _ isReboot: Bool, _ path: FillPath
  )
    async throws
  {
    let layer = try await TestLayer.converted([700_000, 2_000_000], chunkBytes: 100_000)
    let place = try TestPlace(path)
    defer { try? place.cleanUp() }
    try await place.run([layer]) { store in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try await store.unmount(layer.key)
    }
    // After a reboot nothing of the run directory is left.
    if isReboot { try Directory.removeTree(place.runDirectory) }
    layer.blob.forget()
    try await place.run([layer]) { store in
      guard case .filling(let present, _) = await store.state(of: layer.key) else { throw Timeout(what: "incomplete") }
      #expect(present >= 700_000)
      let root = try await store.mount(layer.key)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      #expect(layer.blob.fetches.isEmpty)
      #expect(try await digests(root) == layer.digests)
      try await store.complete(layer.key)
      try await store.unmount(layer.key)
    }
    try await place.run([]) { store in
      #expect(await store.state(of: layer.key) == .complete)
      #expect(try await digests(try await store.mount(layer.key)) == layer.digests)
      try await store.unmount(layer.key)
    }
  }

  @Test(arguments: FillPath.allCases) func `two hundred readers at once are all served`(_ path: FillPath) async throws {
    let layer = try await TestLayer.converted((0..<40).map { 20_000 + $0 * 1000 }, chunkBytes: 8192)
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.delay = .milliseconds(20) }
      let found = try await shell.succeed(
        "for i in $(seq 0 199); do sha256sum '\(root)'/f$((i % 40)) & done; wait", seconds: 100)
      let lines = Set(found.split(separator: "\n").map { String($0.prefix(64)) })
      #expect(found.split(separator: "\n").count == 200)
      #expect(lines == Set(layer.digests.values))
      #expect(layer.blob.fetchedBytes <= layer.blob.bytes.count)
    }
  }
}
