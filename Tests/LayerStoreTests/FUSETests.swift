import Foundation
import LayerStore
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

/// What is particular to layers that are read through FUSE.
@Suite struct FUSETests {
  private static let sizes = [300_000, 3_000_000, 40, 900_000]

  @Test(arguments: [true, false])
  func `without daemon and keeper reads fail, never give zeros, and later mounts work`(_ isDaemonFirst: Bool)
    async throws
  {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: .fuse) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      // As a container has it: an overlay that nobody can take away while it is in use.
      let merged = "\(daemon.place.root)/merged"
      try await shell.succeed(
        "mkdir '\(merged)' '\(merged)-empty'; mount -t overlay overlay -o 'lowerdir=\(root):\(merged)-empty' '\(merged)'"
      )
      try daemon.set("held", true)
      async let waiting = shell("cat '\(merged)/f1'")
      try await eventually("the fetch began") { daemon.fetches > 1 }
      if isDaemonFirst {
        try await daemon.kill()
        try await daemon.killHelpers(LayerKeeper.command)
      } else {
        // The daemon has no time to start another.
        Glibc.kill(try daemon.pid(), SIGSTOP)
        try await daemon.killHelpers(LayerKeeper.command)
        try await daemon.kill()
      }
      let output = try await waiting
      #expect(output.error.contains("Input/output error") && !output.out.utf8.contains(0))
      for _ in 0..<3 { #expect(try await shell("cat '\(root)/f3'").error.contains("Input/output error")) }
      try daemon.set("held", false)
      try await daemon.start()
      // The old overlay fails until it is made anew, never gives zeros; the mount is a new one already.
      #expect(try await shell("cat '\(merged)/f3'").error.contains("Input/output error"))
      #expect(try await digests(root) == layer.digests)
      try await shell.succeed(
        "umount '\(merged)'; mount -t overlay overlay -o 'lowerdir=\(root):\(merged)-empty' '\(merged)'")
      #expect(try await digests(merged) == layer.digests)
      #expect(daemon.helpers().count == 1)
    }
  }

  @Test func `a complete layer's next mount needs none of us`() async throws {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: .fuse) { daemon in
      let root = daemon.mountPoint(layer)
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)", "complete:\(hex)"])
      // The first mount still reads through the daemon: its keeper stays.
      try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches")
      #expect(try await digests(root) == layer.digests)
      try await daemon.terminate()
      #expect(daemon.helpers().count == 1)
      try await daemon.start(["unmount:\(hex)", "mount:\(hex)"])
      try await daemon.terminate()
      try await eventually("the keeper is gone") { daemon.helpers().isEmpty }
      try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches")
      #expect(try await digests(root) == layer.digests)
    }
  }

  @Test func `a directory on tmpfs is filled through FUSE`() async throws {
    let layers = [try await TestLayer.converted(Self.sizes), try TestLayer.plain(Self.sizes, seed: 3)]
    let place = try TestPlace()
    defer { try? place.cleanUp() }
    try Directory.make(place.directory)
    try await shell.succeed("mount -t tmpfs tmpfs '\(place.directory)'")
    try await place.run(layers, configure: { $0.fill = .auto }) { store in
      #expect(store.fill.path == .fuse, "\(store.fill)")
      for layer in layers {
        let root = try await store.mounted(layer)
        #expect(try await sha256("\(root)/f3") == layer.digests["f3"])
        #expect(layer.blob.fetchedBytes < layer.blob.bytes.count)
        #expect(try await digests(root) == layer.digests)
        try await store.complete(layer.key)
        try await store.unmount(layer.key)
        let again = try await store.mount(layer.key)
        try await shell.succeed("echo 3 > /proc/sys/vm/drop_caches")
        #expect(try await digests(again) == layer.digests)
        try await store.unmount(layer.key)
        try await store.remove(layer.key)
      }
      #expect(try Directory.names(in: place.directory) == [])
    }
  }

  @Test func `without a service manager FUSE is taken, and a way in use is kept`() async throws {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withStore([], configure: { $0.fill = .auto }) { store, _ in #expect(store.fill.path == .fuse) }
    try await withDaemon([layer], by: .fuse) { daemon in
      let root = daemon.mountPoint(layer)
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try await daemon.kill()
      #expect(try await daemon.start(["fill:fanotify"]) == false)
      #expect(daemon.log.contains("come through FUSE"))
      try await daemon.start(["fill:auto"])
      #expect(try await digests(root) == layer.digests)
    }
    try await withDaemon([layer], by: .fanotify) { daemon in
      let root = daemon.mountPoint(layer)
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      try await daemon.kill()
      let reader = try OpenFile("\(root)/f0", .read)
      #expect(try await daemon.start(["fill:fuse"]) == false)
      #expect(daemon.log.contains("mounted for fanotify"))
      try await daemon.start(["fill:auto"])
      #expect(daemon.log.contains("fill=fanotify why=layers that are in use were mounted so"))
      #expect(try await digests(root) == layer.digests)
      _ = consume reader
    }
  }

  @Test(arguments: 1...3) func `a daemon that is killed while it mounts ends, and the next one goes on`(_ seed: UInt64)
    async throws
  {
    let layer = try await TestLayer.converted([200_000, 60_000], seed: seed)
    let hex = layer.key.blob.hex
    var random = SeededGenerator(seed: seed)
    try await withDaemon([layer], by: .fuse) { daemon in
      let root = daemon.mountPoint(layer)
      let turns = Array(repeating: ["mount:\(hex)", "unmount:\(hex)"], count: 200).flatMap(\.self)
      for _ in 0..<6 {
        try Directory.removeFile("\(daemon.place.root)/pid")
        async let isAlive = daemon.start(["add:\(hex)"] + turns)
        try await eventually("it runs") { (try? daemon.pid()).map { $0 > 0 } ?? false }
        let moment = ContinuousClock.now + .milliseconds(Int.random(in: 100...900, using: &random))
        try await eventually("some mounts were made") { .now > moment }
        // Ends in no time, whatever it was waiting for.
        try await daemon.kill()
        #expect(try await isAlive == false)
      }
      try await daemon.start(["add:\(hex)", "mount:\(hex)"])
      #expect(try await digests(root) == layer.digests)
    }
  }

  @Test func `a connection that somebody aborted is made anew by the next daemon`() async throws {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: .fuse) { daemon in
      let root = daemon.mountPoint(layer)
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      // The connection is named by the minor device number of its mount, which the daemon has open; with 256 mounts without a
      // device of their own it is no more the number that stat shows (new_encode_dev in linux/kdev_t.h).
      try await shell.succeed(
        """
        mkdir '\(daemon.place.root)/control' && mount -t fusectl none '\(daemon.place.root)/control'
        for f in /proc/\(try daemon.pid())/fd/*; do
          [ "$(stat -L -f -c %t $f 2>/dev/null)" = 65735546 ] || continue
          number=$(stat -L -c %d $f)
          echo 1 > '\(daemon.place.root)/control'/$((number & 0xff | number >> 12 & 0xfff00))/abort
          exit
        done; exit 1
        """)
      #expect(try await shell("cat '\(root)/f1'").error.contains("Input/output error"))
      try await eventually("the daemon says it") { daemon.log.contains("was aborted") }
      try await daemon.terminate()
      try await daemon.start()
      #expect(try await digests(root) == layer.digests)
    }
  }
}
