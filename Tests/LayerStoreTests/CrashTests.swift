import Foundation
import LayerStore
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

/// Processes are killed while programs read: readers wait, or fail, and never see what is not in the image.
@Suite struct CrashTests {
  private static let sizes = [300_000, 3_000_000, 40, 900_000]

  @Test(arguments: [true, false], FillPath.allCases)
  func `readers wait while the daemon is dead and go on with the next one`(_ isChunked: Bool, _ path: FillPath)
    async throws
  {
    let layer = isChunked ? try await TestLayer.converted(Self.sizes) : try TestLayer.plain(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: path) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      // One reader's question is read by the daemon and never answered, the other's is not even read.
      try daemon.set("held", true)
      async let first = sha256("\(root)/f1")
      try await eventually("the fetch began") { daemon.fetches > 1 }
      try await daemon.kill()
      async let second = sha256("\(root)/f3")
      try await eventually("both wait") { try daemon.waitingReaders() == 2 }
      #expect(daemon.helpers().count == (path == .fuse ? 1 : 2))
      try daemon.set("held", false)
      try await daemon.start()
      #expect(try await first == layer.digests["f1"])
      #expect(try await second == layer.digests["f3"])
      #expect(try await digests(root) == layer.digests)
      // What was there is not fetched again, not even by a third process.
      try await daemon.kill()
      try daemon.forgetFetches()
      try daemon.set("down", true)
      try await daemon.start()
      try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches")
      #expect(try await digests(root) == layer.digests)
      #expect(daemon.fetches == 0)
      try await daemon.terminate()
    }
  }

  /// Nothing guards what nobody but us can read.
  private static let deaths = FillPath.allCases.flatMap { path in
    LayerStoreStep.allCases.filter { $0 != .guarded || path == .fanotify }.map { ($0, path) }
  }

  @Test(arguments: deaths)
  func `the daemon may die at any step`(
    _ step: LayerStoreStep, _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted(Self.sizes, chunkBytes: 200_000)
    let hex = layer.key.blob.hex
    var actions = ["add:\(hex)", "mount:\(hex)"]
    switch step {
    case .unmounted: actions.append("unmount:\(hex)")
    case .removing: actions = ["add:\(hex)", "remove:\(hex)"]
    case .synced, .completed, .unmarked: actions.append("background")
    default: break
    }
    try await withDaemon([layer], by: path) { [actions] daemon in
      let root = daemon.mountPoint(layer)
      let times = [.written, .noted, .answered, .fetched].contains(step) ? 3 : 1
      try await daemon.start(["crash:\(step.rawValue):\(times)"] + actions)
      let isMounted = try Mounts.table().top(at: root) != nil
      // A layer that is read as a whole is complete before it is saved.
      if step == .saved, isMounted { try await shell.succeed("cat '\(root)/f0' > /dev/null") }
      async let found = isMounted && step != .saved ? digests(root) : layer.digests
      try await eventually("the daemon died at \(step)") { !daemon.isAlive(try daemon.pid()) }
      try await daemon.start(["add:\(hex)", "mount:\(hex)"])
      #expect(try await found == layer.digests)
      try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches")
      #expect(try await digests(root) == layer.digests)
      try await daemon.terminate()
      // Without a trace: one directory, no more.
      #expect(try Directory.names(in: daemon.place.directory) == [hex])
      try await daemon.start(["complete:\(hex)", "unmount:\(hex)"])
      try await daemon.terminate()
      try await eventually("keeper and guard are gone with the last incomplete layer") { daemon.helpers().isEmpty }
      let data = try SmallFile.read("\(daemon.place.directory)/\(hex)/data")
      #expect(Array(data.prefix(layer.device.count)) == layer.device)
    }
  }

  @Test(arguments: FillPath.allCases) func `a dead keeper is replaced and nobody notices`(_ path: FillPath) async throws
  {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: path) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try await daemon.killHelpers(LayerKeeper.command)
      #expect(try await sha256("\(root)/f3") == layer.digests["f3"])
      try await eventually("there is another") { daemon.helpers(LayerKeeper.command).count == 1 }
      try await daemon.settled()
      // The new one has everything.
      try await daemon.kill()
      async let found = sha256("\(root)/f1")
      try await eventually("it waits") { try daemon.waitingReaders() == 1 }
      try await daemon.start()
      #expect(try await found == layer.digests["f1"])
    }
  }

  @Test func `a dead guard is replaced and guards what is mounted`() async throws {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer]) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      try await daemon.killHelpers(LayerGuard.command)
      try await eventually("there is another") { daemon.helpers(LayerGuard.command).count == 1 }
      try await daemon.settled()
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try await daemon.kill()
      try await daemon.killHelpers(LayerKeeper.command)
      #expect(try await shell("cat '\(root)/f1'").error.contains("Input/output error"))
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
    }
  }

  @Test(arguments: [true, false])
  func `without daemon and keeper reads fail, never give zeros, and recover`(_ isDaemonFirst: Bool) async throws {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer]) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try daemon.set("held", true)
      async let waiting = shell("cat '\(root)/f1'")
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
      #expect(daemon.helpers(LayerKeeper.command).isEmpty)
      let output = try await waiting
      #expect(output.error.contains("Input/output error") && !output.out.utf8.contains(0))
      for _ in 0..<3 { #expect(try await shell("cat '\(root)/f3'").error.contains("Input/output error")) }
      // What is there can still be read.
      try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches")
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try daemon.set("held", false)
      let before = daemon.timesProtected
      try await daemon.start()
      // The old guard may be asked first and deny until the new daemon has found its place before it.
      try await eventually("layers are protected again") { daemon.timesProtected > before }
      #expect(try await digests(root) == layer.digests)
      try await eventually("both helpers are there again") { daemon.helpers().count == 2 }
    }
  }

  @Test func `a layer that was mounted while nobody was there is not trusted`() async throws {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer]) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      try await daemon.kill()
      for command in [LayerGuard.command, LayerKeeper.command] { try await daemon.killHelpers(command) }
      // Now zeros are read; this is what keeper and guard are for.
      #expect(try await sha256("\(root)/f1") != layer.digests["f1"])
      try await daemon.start(["mount:\(hex)"])
      #expect(try await digests(root) == layer.digests)
    }
  }

  @Test(arguments: 1...6, FillPath.allCases) func `random deaths under load never show a wrong byte`(
    _ seed: UInt64, _ path: FillPath
  ) async throws {
    let layer = try await TestLayer.converted(
      [50_000, 700_000, 10, 2_000_000, 130_000], chunkBytes: 60_000, seed: seed)
    let hex = layer.key.blob.hex
    var random = SeededGenerator(seed: seed)
    try await withDaemon([layer], by: path) { daemon in
      try await daemon.startProtected(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      for round in 0..<4 {
        async let found = digests(root)
        let target = Int.random(in: 0..<6, using: &random) + daemon.fetches
        let deadline = ContinuousClock.now + .milliseconds(Int.random(in: 1...400, using: &random))
        try await eventually("some fetches") { daemon.fetches >= target || .now > deadline }
        try await daemon.kill()
        if round % 2 == 1 { try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches") }
        try await daemon.start(round == 2 ? ["background"] : [])
        #expect(try await found == layer.digests)
      }
    }
  }
}
