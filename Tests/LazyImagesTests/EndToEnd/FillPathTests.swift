import JSONDocument
import LayerStore
import LinuxSystem
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// The daemon and a real containerd, on each of the ways in which incomplete layers are read.
@Suite(.serialized) struct FillPathTests {
  private func with(
    _ path: FillPath, _ body: @Sendable (ContainerdFixture, ImagesDaemon) async throws -> Void
  ) async throws {
    try await ImagesDaemon.with(options: "--fill \(path.rawValue) --background-rate 64Ki") { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in try await body(containerd, daemon) }
    }
  }

  private func report(_ daemon: ImagesDaemon) async throws -> JSONValue {
    try JSONValue(
      parsing: Array(
        try await daemon.shell.succeed("nagaya images -o json --root \(daemon.root) --run \(daemon.run)").utf8))
  }

  @Test(arguments: FillPath.allCases)
  func `an eStargz image runs, outlives a killed daemon, and looks as overlayfs shows it`(_ path: FillPath) async throws
  {
    try await with(path) { containerd, daemon in
      try await containerd.push(.eStargz, "box:1", PullTests.layers, daemon)
      try await containerd.pull("box:1")
      let status = try await daemon.status()
      #expect(
        status.contains(
          path == .fuse ? "through FUSE: asked for by --fill fuse" : "killed at once, containers read zeros"),
        "\(status)")
      let report = try await report(daemon)
      #expect(report["fill"]["path"].string == path.rawValue)
      #expect(report["images"].elements.first?["layers"].elements.allSatisfy { $0["mode"].string == "lazy" } == true)
      #expect(
        try await daemon.shell.succeed("curl -s --unix-socket \(daemon.run)/status.sock http://localhost/metrics")
          .contains("nagaya_images_fill_path{path=\"\(path.rawValue)\"} 1"))
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

  @Test func `a container whose reads fail since everything was killed is named, and is well when it is started anew`()
    async throws
  {
    try await with(.fuse) { containerd, daemon in
      try await containerd.push(.eStargz, "box:1", PullTests.layers, daemon)
      try await containerd.pull("box:1")
      try await containerd.shell.succeed("ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 keeps /app wait")
      try await daemon.killAll()
      let output = try await containerd.shell("ctr tasks exec --exec-id e1 keeps /app /big/one | wc -c")
      #expect(output.out != "9000000\n", "\(output)")
      try await daemon.start()
      // New ones have nothing of it.
      #expect(await eventually { (try? await containerd.run("box:1", "/a/file")) == "one\n" })
      let status = try await daemon.status()
      #expect(status.contains("Start anew: keeps; their reads fail"), "\(status)")
      let lost = try await daemon.metric("nagaya_images_lost_mounts")
      #expect(lost > 0)
      try await containerd.shell.succeed(
        """
        ctr tasks kill -s KILL keeps; until ctr tasks delete keeps; do sleep 0.05; done
        ctr tasks start -d keeps
        """)
      #expect(try await containerd.shell.succeed("ctr tasks exec --exec-id e2 keeps /app /a/file") == "one\n")
      try await eventually("nobody is named any more") {
        let (status, lost) = (try await daemon.status(), try await daemon.metric("nagaya_images_lost_mounts"))
        return !status.contains("Start anew") && lost == 0
      }
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL keeps; ctr tasks delete -f keeps; ctr containers delete keeps")
    }
  }
}
