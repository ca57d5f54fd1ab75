import LayerStore
import LinuxSystem
import Locking
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// A real containerd with our snapshotter as its proxy plugin.
@Suite(.serialized) struct ContainerdTests {
  /// One of everything that a layer can hold, in three layers that change each other.
  static let layers = [
    """
    mkdir -p -m 700 secret; mkdir -p a b/old usr/share; echo one > a/file; ln a/file a/linked; echo gone > a/gone
    echo opaque > b/old/x; ln -s ../a/file usr/link; mknod null c 1 3; mkfifo pipe; : > empty
    chown 1000:2000 a/file; chmod 4755 a/file; head -c 300000 /dev/urandom > usr/share/data; chmod 1777 b; touch -d @1500000000 usr a
    setfattr -n user.note -v something a/file 2>/dev/null || python3 -c 'import os; os.setxattr("a/file", "user.note", b"x")'
    """,
    "mkdir a b; echo two > a/second; : > a/.wh.gone; : > b/.wh..wh..opq; echo new > b/new",
    "mkdir -p usr/share && echo three > usr/share/third && chmod 711 . && touch -h -d @1600000000.5 usr/share/third",
  ]

  private func with(
    layers make: (@Sendable (String) -> any RemoteLayers)? = nil,
    _ body: @Sendable (ContainerdFixture, SnapshotterFixture) async throws -> Void
  ) async throws {
    try await SnapshotterFixture.with(layers: make) { snapshotter in
      try await ContainerdFixture.with(
        tables: ContainerdFixture.tables(socket: snapshotter.socket, root: snapshotter.root)
      ) { containerd in
        try await body(containerd, snapshotter)
      }
    }
  }

  @Test func `images are imported, unpacked, run and removed`() async throws {
    try await with { containerd, snapshotter in
      try await containerd.push("box:1", Self.layers)
      try await containerd.shell.succeed(
        "ctr images import --snapshotter nagaya \(containerd.directory)/image.tar", seconds: 60)
      #expect(try await containerd.run("box:1", "/a/file /a/second /usr/share/third") == "one\ntwo\nthree\n")
      #expect(try await snapshotter.names(["kind==committed"]).count == 3)
      // Overlayfs' own snapshotter shows the same, in every attribute.
      try await containerd.pull("box:1", snapshotter: "overlayfs")
      let (ours, theirs) = (
        try await containerd.files(of: "box:1", snapshotter: "nagaya"),
        try await containerd.files(of: "box:1", snapshotter: "overlayfs")
      )
      #expect(ours == theirs && ours.count > 15)
      let usage = try await containerd.shell.succeed("ctr snapshots --snapshotter nagaya usage -b")
      let sizes = usage.split(separator: "\n").dropFirst().compactMap { $0.split(separator: " ").dropFirst().first }
        .compactMap { Int($0) }
      #expect(sizes.count == 3 && (sizes.max() ?? 0) > 300_000, "\(usage)")

      try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/box:1")
      #expect(try await eventually { try await snapshotter.list().isEmpty })
      #expect(try Directory.names(in: "\(snapshotter.root)/s").isEmpty)
    }
  }

  @Test func `a container's changes are its own`() async throws {
    try await with { containerd, snapshotter in
      try await containerd.push("box:1", Self.layers)
      try await containerd.pull("box:1")
      try await containerd.shell.succeed(
        """
        ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 keeps /app wait
        ctr tasks exec --exec-id e1 keeps /app write /a/file
        """)
      // The snapshotter may go and come while containers run.
      #expect(try await containerd.shell.succeed("ctr tasks exec --exec-id e2 keeps /app /a/file") == "written")
      #expect(try await containerd.run("box:1", "/a/file") == "one\n")
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL keeps; ctr tasks delete -f keeps; ctr containers delete keeps")
    }
  }

  @Test func `layers that need no unpacking are never fetched`() async throws {
    let made = Mutex<TestLayers?>(nil)
    try await with(layers: { path in
      let layers = TestLayers(path)
      made.withLock { $0 = layers }
      return layers
    }) { containerd, snapshotter in
      let layers = try #require(made.withLock { $0 })
      let digests = try await containerd.push("box:1", Self.layers)
      for (index, digest) in digests.enumerated() where index != 1 {
        try await layers.add(archive: containerd.blob(digest))
      }
      try await containerd.pull("box:1")
      // Only what was not there was unpacked, between two that were.
      let infos = try await snapshotter.list("kind==committed")
      #expect(infos.count == 3)
      #expect(layers.log.requests.map(\.layer) == digests)
      let request = try #require(layers.log.requests.first)
      #expect(request.image.description == "\(containerd.registry)/box:1" && request.following == digests)
      #expect(request.manifest != nil)
      let blobs = try await containerd.shell.succeed("ctr content list -q")
      #expect(!blobs.contains(digests[0].description) && blobs.contains(digests[1].description))

      #expect(
        try await containerd.run("box:1", "/a/file /a/second /b/new /usr/share/third") == "one\ntwo\nnew\nthree\n")
      try await containerd.pull("box:1", snapshotter: "overlayfs")
      let (ours, theirs) = (
        try await containerd.files(of: "box:1", snapshotter: "nagaya"),
        try await containerd.files(of: "box:1", snapshotter: "overlayfs")
      )
      #expect(Array(ours.dropFirst()) == Array(theirs.dropFirst()) && ours.count > 15)

      // A second namespace adopts the layers of the first.
      try await containerd.pull("box:1", namespace: "other")
      #expect(layers.log.requests.count { $0.layer == digests[0] } == 1)
      try await containerd.shell.succeed("ctr -n other images remove --sync \(containerd.registry)/box:1")
      #expect(try await containerd.run("box:1", "/a/file") == "one\n")
      try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/box:1")
      #expect(try await eventually { try await snapshotter.list().isEmpty })
      #expect(await eventually { Set(layers.log.releases) == [LayerKey(digests[0]), LayerKey(digests[2])] })
    }
  }

  /// - Parameter lazy: which of the layers need no unpacking.
  @Test(arguments: [[], [0], [1], [0, 1]] as [[Int]])
  func `a container with its own user namespace sees its files as its own`(
    _ lazy: [Int]
  ) async throws {
    let made = Mutex<TestLayers?>(nil)
    try await with(layers: { path in
      let layers = TestLayers(path)
      made.withLock { $0 = layers }
      return layers
    }) { containerd, snapshotter in
      let layers = try #require(made.withLock { $0 })
      let digests = try await containerd.push(
        "box:1", ["mkdir own && echo mine > own/file && chmod 600 own/file", "echo x > x"])
      for index in lazy { try await layers.add(archive: containerd.blob(digests[index])) }
      try await containerd.pull("box:1")
      let mapped = "--uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels"
      #expect(try await containerd.run("box:1", "/own/file", options: mapped) == "mine\n")
      #expect(try await containerd.run("box:1", "write /own/file", options: mapped) == "")
      try await containerd.shell.succeed(
        """
        ctr run -d --snapshotter nagaya \(mapped) \(containerd.registry)/box:1 keeps /app wait
        ctr tasks exec --exec-id e1 keeps /app write /own/new
        """)
      let upper = "\(snapshotter.root)/s/$(ls \(snapshotter.root)/s | sort -n | tail -n 1)/fs"
      #expect(try await containerd.shell.succeed("stat -c %u \(upper) \(upper)/own/new") == "100000\n100000\n")
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL keeps; ctr tasks delete -f keeps; ctr containers delete keeps")
      #expect(try await eventually { try await snapshotter.list("kind==active").isEmpty })
      try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/box:1")
      #expect(try await eventually { try await snapshotter.list().isEmpty })
      #expect(try Mounts.table().mounts(under: snapshotter.root).isEmpty)
    }
  }
}
