import ContainerdAPI
import GRPCCore
import LayerStore
import LinuxSystem
import Locking
import OCI
import PlatformHarness
import ServiceLifecycle
import TestSupport
import Testing

@testable import LazyImages

@Suite(.serialized) struct RecoveryTests {
  private func with(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/nst\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    try Directory.make(path)
    defer { SnapshotterFixture.clean(path) }
    try await body(path)
  }

  @Test func `everything is there after a restart`() async throws {
    try await with { path in
      let layers = TestLayers(path)
      let digest = try await layers.add("echo lazy > file")
      let kept = Mutex<(infos: [Info], mounts: [Mount])>(([], []))
      try await SnapshotterFixture.serving(in: path, layers: layers) { snapshotter in
        #expect(
          await refusal { try await snapshotter.prepare("x", "", TestLayers.labels(digest, chainID: "c1")) }
            == .alreadyExists)
        try await snapshotter.layer("two", on: "c1", labels: ["label": "value"], "echo 2 > two")
        try await snapshotter.prepare("active", "two")
        let (infos, mounts) = (try await snapshotter.list(), try await snapshotter.mounts("active"))
        kept.withLock { $0 = (infos, mounts) }
      }
      let before = kept.withLock { $0 }
      // As after a restart of the machine.
      try await layers.release(LayerKey(digest))
      try await SnapshotterFixture.serving(in: path, layers: layers) { snapshotter in
        #expect(try await snapshotter.list() == before.infos)
        // The layers of containers are mounted without being asked for.
        #expect(try await eventually { try layers.isMounted(digest) })
        #expect(try await snapshotter.mounts("active") == before.mounts)
        let text = try await snapshotter.mounted(before.mounts) {
          try await snapshotter.shell.succeed("cat \($0)/file \($0)/two")
        }
        #expect(text == "lazy\n2\n")
        try await snapshotter.prepare("new", "two")
        #expect(try Directory.names(in: "\(snapshotter.root)/s") == ["1", "2", "3", "4"])
      }
    }
  }

  @Test func `what a killed process left half made is removed`() async throws {
    try await with { path in
      try await SnapshotterFixture.serving(in: path) { snapshotter in
        try await snapshotter.layer("kept", "echo x > file")
        try await snapshotter.prepare("active", "kept")
      }
      // A directory before its record, one after it, a file of the mover, and one that was lost.
      let shell = Shell()
      try await shell.succeed(
        """
        cd \(path)/r/s && mkdir -p 3/fs 900/fs/deep/er 900/work && mkdir new-123 && ln -s /nowhere 3/fs.new
        rm -r 2 && : > ../../sock
        """)
      try await SnapshotterFixture.serving(in: path) { snapshotter in
        #expect(try Directory.names(in: "\(snapshotter.root)/s") == ["1", "2"])
        try await snapshotter.mounted(try await snapshotter.mounts("active")) {
          try await snapshotter.shell.succeed("cat \($0)/file && touch \($0)/new")
        }
        // A number that was seen is not used again.
        try await snapshotter.prepare("next")
        #expect(try Directory.names(in: "\(snapshotter.root)/s") == ["1", "2", "901"])
        try await snapshotter.remove("next")
      }
      try await SnapshotterFixture.serving(in: path) { snapshotter in
        try await snapshotter.prepare("again")
        #expect(try Directory.names(in: "\(snapshotter.root)/s") == ["1", "2", "902"])
      }
    }
  }

  @Test func `a layer whose release was cut off is released at the next start`() async throws {
    try await with { path in
      let layers = TestLayers(path)
      let digest = try await layers.add("echo lazy > file")
      let configuration = SnapshotterConfiguration(root: "\(path)/r", socket: "")
      let snapshotter = try Snapshotter(root: configuration, layers: layers, logger: SnapshotterFixture.quiet)
      await #expect(throws: SnapshotError.layerExists(chainID: "c1")) {
        try await snapshotter.prepare("x", parent: "", labels: TestLayers.labels(digest, chainID: "c1"))
      }
      // Killed between the record and the act.
      _ = try snapshotter.records.remove("c1")
      try snapshotter.close()
      #expect(layers.log.releases.isEmpty)
      try await SnapshotterFixture.serving(in: path, layers: layers) { _ in
        #expect(await eventually { layers.log.releases == [LayerKey(digest)] })
      }
      try await SnapshotterFixture.serving(in: path, layers: layers) { snapshotter in
        try await snapshotter.cleanUp()
        #expect(layers.log.releases.count == 1)
      }
    }
  }

  /// The records of a moment, without anything that was not synced, at many moments of a busy life: what was answered
  /// before is there, and every record has its directory.
  @Test func `a copy taken at any moment is a whole snapshotter`() async throws {
    try await with { path in
      try await SnapshotterFixture.serving(in: path) { snapshotter in
        try await snapshotter.layer("base", "echo x > file")
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            for index in 0..<150 {
              try await snapshotter.prepare("a\(index)", "base")
              if index % 3 == 0 { try await snapshotter.commit("c\(index)", "a\(index)") }
              if index % 3 == 1 { try await snapshotter.remove("a\(index)") }
            }
          }
          for index in 0..<12 {
            let known = try await snapshotter.names(["kind==committed"])
            // Records first: a directory may be missing then only if its snapshot was removed meanwhile.
            let copy = "\(path)/copy\(index)"
            try await snapshotter.shell.succeed(
              "mkdir \(copy) && cp -a \(path)/r/snapshots.sqlite* \(copy) && cp -a \(path)/r/s \(copy)/s 2>/dev/null || true"
            )
            let restored = try Snapshotter(
              root: SnapshotterConfiguration(root: copy, socket: ""), layers: NoLayers(),
              logger: SnapshotterFixture.quiet)
            let names = Set(try await restored.list([]).map(\.name))
            #expect(names.isSuperset(of: known))
            let (ids, present) = (try restored.records.ids(), try restored.directories.present())
            #expect(present.numbers == ids && present.strangers.isEmpty)
            try restored.close()
          }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test func `one process works on a root at a time`() async throws {
    try await with { path in
      try await SnapshotterFixture.serving(in: path) { snapshotter in
        let second = SnapshotServer(
          configuration: SnapshotterConfiguration(root: "\(path)/r", socket: "\(path)/other"), layers: NoLayers(),
          logger: SnapshotterFixture.quiet)
        await #expect(throws: SnapshotError.rootInUse("\(path)/r")) { try await second.run() }
        let infos = try await snapshotter.list()
        #expect(infos.isEmpty)
      }
    }
  }

  @Test func `a root that overlayfs can't name is refused`() async throws {
    for root in ["relative", "/tmp/with:colon", "/tmp/with,comma", "/tmp/with space"] {
      let server = SnapshotServer(
        configuration: SnapshotterConfiguration(root: root, socket: "/nowhere"), layers: NoLayers(),
        logger: SnapshotterFixture.quiet)
      await #expect(throws: SnapshotError.self) { try await server.run() }
      try? Directory.removeTree(root)
    }
  }

  @Test func `damaged records are refused, and stay`() async throws {
    try await with { path in
      try Directory.make("\(path)/r")
      let garbage = [UInt8](repeating: 0x42, count: 10_000)
      try DurableFile.write(garbage, to: "\(path)/r/snapshots.sqlite")
      let server = SnapshotServer(
        configuration: SnapshotterConfiguration(root: "\(path)/r", socket: "\(path)/sock"), layers: NoLayers(),
        logger: SnapshotterFixture.quiet)
      await #expect(throws: (any Error).self) { try await server.run() }
      #expect(try DurableFile.read("\(path)/r/snapshots.sqlite") == garbage)
    }
  }

  @Test(arguments: [true, false]) func `a server without clients ends when asked to`(_ isGraceful: Bool) async throws {
    try await with { path in
      let server = SnapshotServer(
        configuration: SnapshotterConfiguration(root: "\(path)/r", socket: "\(path)/sock"), layers: NoLayers(),
        logger: SnapshotterFixture.quiet)
      if isGraceful {
        let group = ServiceGroup(services: [server], logger: SnapshotterFixture.quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          tasks.addTask { try await group.run() }
          #expect(await eventually { FileStatus.exists("\(path)/sock") })
          await group.triggerGracefulShutdown()
          try await tasks.waitForAll()
        }
        #expect(!FileStatus.exists("\(path)/sock"))
      } else {
        let task = Task { try await server.run() }
        #expect(await eventually { FileStatus.exists("\(path)/sock") })
        task.cancel()
        _ = await task.result
      }
    }
  }

  @Test func `the socket is for its owner only`() async throws {
    try await SnapshotterFixture.with { snapshotter in
      let mode = try await snapshotter.shell.succeed("stat -c %a \(snapshotter.socket)")
      #expect(mode == "600\n")
    }
  }
}
