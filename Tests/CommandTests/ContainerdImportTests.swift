import Foundation
import PlatformHarness
import Testing

@testable import nagaya

/// A packed image in a real containerd of its own.
@Suite struct ContainerdImportTests {
  static let engines =
    ProcessInfo.processInfo.environment["NAGAYA_ENGINES"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent(".engines").path

  @Test func `containerd imports a packed image under its name and unpacks it`() async throws {
    let programs = "\(Self.engines)/bin"
    try #require(
      FileManager.default.isExecutableFile(atPath: "\(programs)/containerd"),
      "no containerd in \(programs): run `make engines`, or set NAGAYA_ENGINES")
    try await withTemporaryDirectory { directory in
      try FileManager.default.createDirectory(atPath: "\(directory)/t/bin", withIntermediateDirectories: true)
      try Data("#!".utf8).write(to: URL(fileURLWithPath: "\(directory)/t/bin/app"))
      let packed = await CommandRunner()(
        "image", "pack", "\(directory)/t", "--name", "team.local/app:7", "--cmd", "/bin/app", "-o",
        "\(directory)/app.tar")
      try #require(packed.code == 0, "\(packed.error)")
      let digest = try #require(packed.out.split(separator: " ").last.map { $0.trimmingCharacters(in: .newlines) })

      let config = """
        version = 3
        root = "\(directory)/root"
        state = "\(directory)/state"
        disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"]
        [grpc]
        address = "\(directory)/c.sock"
        [ttrpc]
        address = "\(directory)/c.sock.ttrpc"
        """
      try config.write(toFile: "\(directory)/config.toml", atomically: true, encoding: .utf8)
      // containerd ends with the script, whatever happens.
      let script = """
        ctr() { \(programs)/ctr --address \(directory)/c.sock -n k8s.io "$@"; }
        \(programs)/containerd --config \(directory)/config.toml > \(directory)/log 2>&1 &
        pid=$!; trap "kill $pid; wait $pid" EXIT
        until ctr version > /dev/null 2>&1; do kill -0 $pid || { cat \(directory)/log; exit 1; }; sleep 0.05; done
        ctr images import --local --snapshotter native \(directory)/app.tar >&2 || exit
        ctr images list && ctr images check --snapshotter native
        """
      let said = try await Shell().succeed(script)
      #expect(
        said.split(separator: "\n").contains { $0.hasPrefix("team.local/app:7 ") && $0.contains(digest) }, "\(said)")
      #expect(said.contains("complete (2/2)"), "\(said)")
    }
  }
}
