import JSONDocument
import LinuxSystem
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// The daemon and a real containerd where incomplete layers are read through FUSE.
@Suite(.serialized) struct FUSETests {
  private func with(_ body: @Sendable (ContainerdFixture, ImagesDaemon) async throws -> Void) async throws {
    try await ImagesDaemon.with(options: "--fill fuse --background-rate 64Ki") { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in try await body(containerd, daemon) }
    }
  }

  @Test func `an eStargz image runs through FUSE, outlives a killed daemon, and looks as overlayfs shows it`()
    async throws
  {
    try await with { containerd, daemon in
      try await containerd.push(.eStargz, "box:1", PullTests.layers, daemon)
      try await containerd.pull("box:1")
      let status = try await daemon.status()
      #expect(status.contains("through FUSE: asked for by --fill fuse"), "\(status)")
      let report = try JSONValue(
        parsing: Array(
          try await daemon.shell.succeed("nagaya images -o json --root \(daemon.root) --run \(daemon.run)").utf8))
      #expect(report["fill"]["path"].string == "fuse")
      #expect(report["images"].elements.first?["layers"].elements.allSatisfy { $0["mode"].string == "lazy" } == true)
      #expect(
        try await daemon.shell.succeed("curl -s --unix-socket \(daemon.run)/status.sock http://localhost/metrics")
          .contains("nagaya_images_fill_path{path=\"fuse\"} 1"))
      try await containerd.shell.succeed("ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 keeps /app wait")
      try await daemon.kill()
      async let answer = containerd.shell.succeed("ctr tasks exec --exec-id e1 keeps /app /a/file")
      try await daemon.start()
      #expect(try await answer == "one\n")
      #expect(await eventually { (try? await containerd.run("box:1", "/b/new")) == "new\n" })
      try await containerd.pull("box:1", snapshotter: "overlayfs")
      let (ours, theirs) = (
        try await containerd.files(of: "box:1", snapshotter: "nagaya"),
        try await containerd.files(of: "box:1", snapshotter: "overlayfs")
      )
      #expect(Set(ours) == PullTests.withoutMarks(theirs))
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL keeps; ctr tasks delete -f keeps; ctr containers delete keeps")
    }
  }
}
