import EStargz
import Foundation
import LayerStore
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Layers that are read before their bytes are there, by the real kernel.
@Suite struct FillTests {
  static let fixtures = [
    "estargz", "estargz-minchunk", "estargz-external", "zstdchunked-stargz", "zstdchunked-skopeo-1.9",
    "zstdchunked-skopeo-1.22",
  ]

  @Test(arguments: fixtures, FillPath.allCases) func `a layer of another program reads byte by byte as it should`(
    _ name: String, _ path: FillPath
  )
    async throws
  {
    let layer = try TestLayer.fixture(name)
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      // Names and attributes are there without a byte of the layer.
      try await shell.succeed("ls -lR '\(root)' && find '\(root)' -printf '%m %u %s %l'")
      #expect(layer.blob.fetches.isEmpty)
      #expect(try await digests(root) == layer.digests)
      #expect(layer.blob.fetchedBytes > 0)
    }
  }

  @Test(arguments: [LayerCompression.gzip, .zstd, .none], FillPath.allCases)
  func `a plain layer that was read before is lazy`(_ compression: LayerCompression, _ path: FillPath) async throws {
    let layer = try TestLayer.plain([3_000_000, 10, 0, 5_000_000, 4096, 70_001], compression)
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f4") == layer.digests["f4"])
      #expect(layer.blob.fetchedBytes < layer.blob.bytes.count / 2)
      #expect(try await digests(root) == layer.digests)
      // What lies behind the end of a file in its last page.
      #expect(try pages(of: "\(root)/f5", bytes: 73_728).suffix(73_728 - 70_001).allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: FillPath.allCases) func `a plain layer of an earlier release is lazy`(_ path: FillPath) async throws
  {
    let layer = try TestLayer.plain([3_000_000, 10, 0, 5_000_000, 4096, 70_001], layout: .verbatim)
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f4") == layer.digests["f4"])
      #expect(layer.blob.fetchedBytes < layer.blob.bytes.count / 2)
      #expect(try await digests(root) == layer.digests)
      try await store.complete(layer.key)
    }
  }

  /// A file's pages as a program that maps it sees them.
  private func pages(of path: String, bytes: Int) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    let memory = mmap(nil, bytes, PROT_READ, MAP_SHARED, file, 0)
    guard let memory, memory != MAP_FAILED else { throw SystemError("mmap", path, errno: errno) }
    defer { munmap(memory, bytes) }
    return Array(UnsafeRawBufferPointer(start: memory, count: bytes))
  }

  @Test(arguments: FillPath.allCases) func `programs run from a layer and map its files`(_ path: FillPath) async throws
  {
    let program = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "/bin/bash")))
    let layer = try await TestLayer.converted(program: program)
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      #expect(try await shell.succeed("'\(root)/program' -c 'echo $((6 * 7))'") == "42\n")
      let script =
        "import mmap,sys,hashlib; f=open(sys.argv[1],'rb'); m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); "
        + "print(hashlib.sha256(m[-5000:]).hexdigest())"
      #expect(
        try await shell.succeed("python3 -c \"\(script)\" '\(root)/program'") == Digest(of: program.suffix(5000)).hex
          + "\n")
    }
  }

  @Test(arguments: FillPath.allCases) func `eight readers of one place fetch once`(_ path: FillPath) async throws {
    let layer = try await TestLayer.converted([900_000], chunkBytes: 4 << 20)
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.delay = .milliseconds(100) }
      let found = try await shell.succeed(
        "for i in 1 2 3 4 5 6 7 8; do sha256sum < '\(root)/f0' & done; wait"
      ).split(separator: "\n")
      #expect(found.count == 8)
      #expect(Set(found.map { String($0.prefix(64)) }) == [layer.digests["f0"] ?? ""])
      #expect(layer.blob.fetches.count == 1)
    }
  }

  @Test(arguments: FillPath.allCases)
  func `a reader goes on when its own bytes are there, whatever else comes with them`(_ path: FillPath) async throws {
    let layer = try await TestLayer.converted(Array(repeating: 20_000, count: 20))
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.heldAfter = 40_000 }
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      // Whoever comes later waits for the same request, and no longer than needed either.
      #expect(try await sha256("\(root)/f1") == layer.digests["f1"])
      async let last = sha256("\(root)/f19")
      layer.blob.set { $0.heldAfter = nil }
      #expect(try await last == layer.digests["f19"])
      #expect(layer.blob.fetches.count == 1)
    }
  }

  @Test(arguments: FillPath.allCases) func `readers of different places do not wait for each other`(_ path: FillPath)
    async throws
  {
    let layer = try await TestLayer.converted([200_000, 3_000_000, 200_000])
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.isHeld = true }
      async let slow = sha256("\(root)/f1")
      try await eventually("the first fetch began") { !layer.blob.fetches.isEmpty }
      layer.blob.set { $0.isHeld = false }
      #expect(try await sha256("\(root)/f2") == layer.digests["f2"])
      #expect(try await slow == layer.digests["f1"])
    }
  }

  @Test(arguments: [true, false], FillPath.allCases) func `wrong bytes are never read`(
    _ isChunked: Bool, _ path: FillPath
  ) async throws {
    let sizes = [400_000, 600_000]
    let layer = isChunked ? try await TestLayer.converted(sizes) : try TestLayer.plain(sizes)
    try await withStore([layer], by: path) { store, place in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.lies = true }
      let output = try await shell("cat '\(root)/f1'")
      #expect(output.error.contains("Input/output error") && output.out.isEmpty)
      #expect(try await store.usage(of: layer.key).bytes < 200_000)
      let status = try #require(await store.layers().first)
      #expect(status.figures.refusals >= 3 && status.figures.failedReads > 0)
      #expect(status.state == .filling(present: 0, of: layer.description.deviceBytes))
      layer.blob.set { $0.lies = false }
      #expect(try await digests(root) == layer.digests)
      _ = place
    }
  }

  @Test(arguments: FillPath.allCases) func `a reader waits while nothing can be fetched and goes on after`(
    _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted([300_000])
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.isDown = true }
      async let found = sha256("\(root)/f0")
      try await eventually("it was tried twice") { layer.blob.fetches.count >= 2 }
      layer.blob.set {
        $0.isDown = false
        $0.isShort = true
      }
      let tries = layer.blob.fetches.count
      try await eventually("a short body is no answer") { layer.blob.fetches.count >= tries + 2 }
      layer.blob.set { $0.isShort = false }
      #expect(try await found == layer.digests["f0"])
      let figures = try #require(await store.layers().first).figures
      #expect(figures.stalls.reduce(0, +) > 0 && figures.stalledSeconds > 0.1 && figures.failedReads == 0)
    }
  }

  @Test(arguments: [true, false], FillPath.allCases) func `a reader fails when its time is up`(
    _ isHanging: Bool, _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted([300_000])
    try await withStore([layer], by: path, configure: { $0.demandDeadline = .milliseconds(300) }) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { if isHanging { $0.isHeld = true } else { $0.isDown = true } }
      let output = try await shell("dd if='\(root)/f0' of=/dev/null bs=4096 count=1")
      #expect(output.error.contains("Input/output error"))
      layer.blob.set {
        $0.isHeld = false
        $0.isDown = false
      }
      // Nothing of the failure stays; on a busy machine the next read's time may be up, too.
      try await eventually("it can be read") { (try? await sha256("\(root)/f0")) == layer.digests["f0"] }
    }
  }

  @Test(arguments: FillPath.allCases) func `a waiting reader can be killed`(_ path: FillPath) async throws {
    let layer = try await TestLayer.converted([300_000])
    try await withStore([layer], by: path) { store, _ in
      let root = try await store.mounted(layer)
      layer.blob.set { $0.isHeld = true }
      let output = try await shell("timeout -s KILL 0.5 cat '\(root)/f0'")
      #expect(output.status == 137)
      layer.blob.set { $0.isHeld = false }
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
    }
  }

  @Test(arguments: FillPath.allCases) func `a full disk is waited for, then fails the reader, and loses nothing`(
    _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted([400_000, 12_000_000, 1_000_000])
    let place = try TestPlace(path)
    try await shell.succeed(
      "truncate -s 16M '\(place.root)/disk' && mkfs.ext4 -q -m 0 -O ^has_journal '\(place.root)/disk' && mkdir '\(place.directory)' && mount -o loop '\(place.root)/disk' '\(place.directory)'"
    )
    defer { try? place.cleanUp() }
    try await shell.succeed("head -c 5M /dev/zero > '\(place.directory)/ballast'")
    try await place.run([layer], configure: { $0.demandDeadline = .milliseconds(300) }) { store in
      let root = try await store.mounted(layer)
      #expect(try await shell("cat '\(root)/f1' > /dev/null").error.contains("Input/output error"))
      try await shell.succeed("rm '\(place.directory)/ballast' && sync -f '\(place.directory)'")
      try await eventually("all of it can be read") { (try? await digests(root)) == layer.digests }
      try await store.unmount(layer.key)
    }
  }

  @Test(arguments: FillPath.allCases) func `a layer that is given up on a full disk keeps what it has, and can go`(
    _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted([4_000_000, 3_000_000])
    let place = try TestPlace(path)
    try await shell.succeed(
      "truncate -s 16M '\(place.root)/disk' && mkfs.ext4 -q -m 0 -O ^has_journal '\(place.root)/disk' && mkdir '\(place.directory)' && mount -o loop '\(place.root)/disk' '\(place.directory)'"
    )
    defer { try? place.cleanUp() }
    try await place.run([layer], configure: { $0.saveInterval = .seconds(3600) }) { store in
      let root = try await store.mounted(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try await shell.succeed("cat /dev/zero > '\(place.directory)/ballast'; sync -f '\(place.directory)'; test $? = 0")
      // What is there can't be noted any more.
      try await store.unmount(layer.key)
      guard case .filling(let present, _) = await store.state(of: layer.key) else { throw Timeout(what: "filling") }
      #expect(present >= 4_000_000)
      layer.blob.set { $0.isDown = true }
      #expect(try await sha256("\(try await store.mount(layer.key))/f0") == layer.digests["f0"])
      try await store.unmount(layer.key)
      try await store.evict(layer.key)
      #expect(try await store.usage(of: layer.key).bytes < 100_000)
    }
  }

  @Test(arguments: FillPath.allCases)
  func `what reads itself through an overlay is filled after the layer was unmounted`(_ path: FillPath) async throws {
    let layer = try await TestLayer.converted([300_000, 700_000])
    try await withStore([layer], by: path) { store, place in
      let root = try await store.mounted(layer)
      try await shell.succeed(
        "cd '\(place.root)' && mkdir upper work merged empty && mount -t overlay overlay -o lowerdir='\(root)':empty,upperdir=upper,workdir=work merged"
      )
      try await store.unmount(layer.key)
      #expect(try await sha256("\(place.root)/merged/f1") == layer.digests["f1"])
      await #expect(throws: LayerStoreError.self) { try await store.remove(layer.key) }
      try await shell.succeed("umount '\(place.root)/merged'")
      // The kernel lets go of an unmounted file system a moment later.
      try await eventually("the layer can be removed") {
        do { try await store.remove(layer.key) } catch { return false }
        return true
      }
      #expect(await store.state(of: layer.key) == nil)
      #expect(try Directory.names(in: place.directory) == [])
    }
  }
}
