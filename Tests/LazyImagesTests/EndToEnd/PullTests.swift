import Foundation
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// The daemon, a real containerd and a real registry: whatever an image's layers are, its containers see what overlayfs'
/// own snapshotter would show them.
@Suite(.serialized) struct PullTests {
  static let layers =
    ContainerdTests.layers + [
      "mkdir big && head -c 9000000 /dev/urandom > big/one && head -c 5000000 /dev/zero > big/zeros && ln big/one big/two"
    ]

  /// Each layer came as its kind lets it.
  private func expectModes(_ kind: ImageKind, _ daemon: ImagesDaemon, image: String) async throws {
    let table = try await daemon.shell.succeed("nagaya images --root \(daemon.root) --run \(daemon.run) \(image)")
    let modes = table.split(separator: "\n").dropFirst().map { $0.split(separator: " ").dropFirst().first ?? "" }
    #expect(
      modes == Self.layers.map { _ in kind.isLazyAtOnce ? "lazy" : "streamed" }, "\(kind.rawValue): \(table)")
  }

  private func with(_ body: @Sendable (ContainerdFixture, ImagesDaemon) async throws -> Void) async throws {
    try await ImagesDaemon.with { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in try await body(containerd, daemon) }
    }
  }

  /// Files that a format puts into its layers; who reads the format hides them.
  static func withoutMarks(_ lines: [String]) -> Set<String> {
    let marks = ["b'/stargz.index.json' ", "b'/.no.prefetch.landmark' ", "b'/.prefetch.landmark' "]
    return Set(lines.filter { line in !marks.contains { line.hasPrefix($0) } })
  }

  @Test(arguments: ImageKind.allCases) func `an image of any kind runs, and looks as overlayfs shows it`(
    _ kind: ImageKind
  ) async throws {
    try await with { containerd, daemon in
      try await containerd.push(kind, "box:1", Self.layers, daemon)
      try await containerd.pull("box:1")
      #expect(
        try await containerd.run("box:1", "/a/file /a/second /b/new /usr/share/third") == "one\ntwo\nnew\nthree\n")
      // None of its layers was fetched by containerd.
      let content = try await containerd.shell.succeed("ctr content list")
      #expect(content.split(separator: "\n").count < 5, "\(content)")
      let status = try await daemon.status()
      #expect(status.contains("box:1"), "\(status)")
      try await expectModes(kind, daemon, image: "\(containerd.registry)/box:1")

      try await containerd.pull("box:1", snapshotter: "overlayfs")
      for options in ["--rw", ""] {
        let (ours, theirs) = (
          try await containerd.files(of: "box:1", snapshotter: "nagaya", options: options),
          try await containerd.files(of: "box:1", snapshotter: "overlayfs", options: options)
        )
        let differences = Set(ours).symmetricDifference(Self.withoutMarks(theirs))
        #expect(differences.isEmpty && ours.count > 20, "\(kind.rawValue) \(options): \(differences.sorted())")
      }
      try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/box:1")
      #expect(try await eventually { try Directory.names(in: "\(daemon.root)/snapshots/s").isEmpty })
      #expect(try Mounts.table().mounts(under: daemon.directory).allSatisfy { $0.fileSystemType != "erofs" })
    }
  }

  @Test func `containers outlive a killed daemon, and the next one goes on`() async throws {
    try await with { containerd, daemon in
      try await containerd.push(.eStargz, "box:1", Self.layers, daemon)
      try await containerd.pull("box:1")
      try await containerd.shell.succeed("ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 keeps /app wait")
      try await daemon.kill()
      // What is not here yet is waited for, until the next daemon has it.
      async let answer = containerd.shell.succeed("ctr tasks exec --exec-id e1 keeps /app /a/file")
      try await daemon.start()
      let content = try await answer
      #expect(content == "one\n")
      #expect(try await containerd.shell.succeed("ctr tasks exec --exec-id e2 keeps /app /b/new") == "new\n")
      #expect(await eventually { (try? await containerd.run("box:1")) == "uid 0\n" })
      #expect(try await containerd.run("box:1", "/usr/share/third") == "three\n")
      try await containerd.pull("box:1", snapshotter: "overlayfs")
      let (ours, theirs) = (
        try await containerd.files(of: "box:1", snapshotter: "nagaya"),
        try await containerd.files(of: "box:1", snapshotter: "overlayfs")
      )
      #expect(Set(ours) == Self.withoutMarks(theirs))
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL keeps; ctr tasks delete -f keeps; ctr containers delete keeps")
    }
  }

  /// Killed at any step of a pull, the daemon leaves nothing that the next pull stumbles over.
  @Test func `a pull is repeated after a kill at any moment`() async throws {
    try await with { containerd, daemon in
      try await containerd.push(.zstdChunked, "box:1", Self.layers, daemon)
      for round in 0..<8 {
        async let pulled = containerd.shell(
          "ctr images pull --plain-http --snapshotter nagaya \(containerd.registry)/box:1", seconds: 30)
        try await containerd.shell.succeed("sleep 0.\(String(format: "%02d", round * 9))")
        try await daemon.kill()
        _ = try await pulled
        try await daemon.start()
        // containerd's connection waits for a moment before it tries again.
        #expect(await eventually { (try? await containerd.pull("box:1")) != nil }, "\(round)")
        #expect(try await containerd.run("box:1", "/a/file /b/new") == "one\nnew\n")
        try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/box:1")
        #expect(try await eventually { try Directory.names(in: "\(daemon.root)/snapshots/s").isEmpty })
      }
    }
  }
}
