import Foundation
import LinuxSystem
import PlatformHarness
import Testing

@testable import LazyImages

/// `nagaya serve images` as a process of its own, as on somebody's node.
struct ImagesDaemon: Sendable {
  let directory: String
  let shell: Shell
  /// What it says containerd must know.
  let tables: String
  /// More arguments of `nagaya serve images`.
  var options = ""

  var root: String { "\(directory)/S" }
  var run: String { "\(directory)/R" }

  /// Runs a body with the daemon; it, its helpers and its mounts are gone afterwards.
  /// - Parameters:
  ///   - options: more arguments of `nagaya serve images`.
  ///   - diskBytes: the size of a disk of its own for its root; `nil`: it has none.
  static func with(
    options: String = "", diskBytes: Int? = nil, _ body: @Sendable (ImagesDaemon) async throws -> Void
  ) async throws {
    let build = "\(PlatformInstance.root)/.build/debug"
    try #require(FileStatus.exists("\(build)/nagaya"), "no \(build)/nagaya: run `swift build` first")
    let directory = "/tmp/nsti\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let shell = Shell(environment: ["PATH": "\(build):\(path)", "NO_COLOR": "1"])
    try Directory.make(directory)
    do {
      if let diskBytes {
        try await shell.succeed(
          """
          cd \(directory) && mkdir S && truncate -s \(diskBytes) disk && mkfs.ext4 -q -m 0 -O ^has_journal disk
          mount -o loop disk S && rmdir S/lost+found
          """)
      }
      let tables = try await shell.succeed(
        "nagaya serve images --print-config --root \(directory)/S --run \(directory)/R")
      let daemon = ImagesDaemon(directory: directory, shell: shell, tables: tables, options: options)
      try await daemon.start()
      try await body(daemon)
      await daemon.cleanUp()
    } catch {
      print((try? await shell("tail -n 30 \(directory)/log").out) ?? "")
      await ImagesDaemon(directory: directory, shell: shell, tables: "").cleanUp()
      throw error
    }
  }

  func start() async throws {
    try await shell.succeed(
      """
      cd \(directory) && rm -f R/snapshots.sock
      setsid nagaya serve images --root \(root) --run \(run) --hosts-directory \(directory)/certs.d --log-level debug \
        \(options) >> log 2>&1 < /dev/null & echo $! > \(directory)/pid
      cd \(directory); until [ -S R/snapshots.sock ]; do kill -0 $(cat pid) || { tail log; exit 1; }; sleep 0.02; done
      """, seconds: 60)
  }

  /// `kill -9` of the daemon alone: what it keeps descriptors in lives on.
  func kill() async throws {
    try await shell.succeed(
      "kill -9 $(cat \(directory)/pid); while kill -0 $(cat \(directory)/pid) 2>/dev/null; do sleep 0.01; done")
  }

  /// `kill -9` of everything of the daemon's in one step.
  func killAll() async throws {
    try await shell.succeed(
      """
      all="$(cat \(directory)/pid) $(pgrep -f -- '-layers \(run)/[l]ayers')"
      kill -9 $all; for p in $all; do while kill -0 $p 2>/dev/null; do sleep 0.01; done; done
      """)
  }

  func status() async throws -> String {
    try await shell.succeed("nagaya images --root \(root) --run \(run)")
  }

  /// A figure of its metrics, over all labels.
  func metric(_ name: String) async throws -> Double {
    let text = try await shell.succeed("curl -s --fail --unix-socket \(run)/status.sock http://localhost/metrics")
    return text.split(separator: "\n").filter { $0.hasPrefix("\(name){") || $0.hasPrefix("\(name) ") }
      .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
  }

  private func cleanUp() async {
    _ = try? await shell(
      """
      p=$(cat \(directory)/pid); kill $p; for i in {1..200}; do kill -0 $p 2>/dev/null || break; sleep 0.05; done
      """, seconds: 60)
    LeftProcesses.kill(naming: "\(directory)/")
    SnapshotterFixture.clean(directory)
  }
}
