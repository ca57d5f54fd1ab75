import Foundation
import JSONDocument
import LinuxSystem
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// Calls of containerd end when the machine has nothing to give, and whoever asks is told what is waited for.
@Suite(.serialized) struct StarvationTests {
  private func with(
    _ options: String, _ body: @Sendable (ContainerdFixture, ImagesDaemon) async throws -> Void
  ) async throws {
    try await ImagesDaemon.with(options: options) { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in try await body(containerd, daemon) }
    }
  }

  private func doctor(_ daemon: ImagesDaemon, _ options: String = "") async throws -> String {
    try await daemon.shell.succeed("nagaya images doctor \(options) --root \(daemon.root) --run \(daemon.run)")
  }

  @Test func `what is waited for is told, by the command and in the log`() async throws {
    try await with("--background-rate 0") { containerd, daemon in
      try await containerd.push(.eStargz, "box:1", ["true", "head -c 9000000 /dev/urandom > big"], daemon)
      try await containerd.pull("box:1")
      try await containerd.shell.succeed("ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 waits /app wait")
      try await containerd.shell.succeed("kill -STOP $(cat \(containerd.directory)/registry.pid)")
      async let read = containerd.shell.succeed("ctr tasks exec --exec-id e1 waits /app /big | wc -c", seconds: 120)
      var table = ""
      try await eventually("the read is told") {
        table = try await doctor(daemon)
        return table.contains("a read of layer sha256:") && table.contains("bytes ")
      }
      try await daemon.shell.succeed("kill -QUIT $(cat \(daemon.directory)/pid)")
      try await eventually("it is in the log, too") {
        let log = try await daemon.shell.succeed("cat \(daemon.directory)/log")
        return log.split(separator: "\n").contains {
          $0.hasPrefix("in progress: ") && $0.contains("a read of layer sha256:")
        }
      }
      #expect(try await daemon.metric("nagaya_images_queue") >= 1)
      try await containerd.shell.succeed("kill -CONT $(cat \(containerd.directory)/registry.pid)")
      #expect(try await read == "9000000\n")
      try await eventually("nothing is in progress") { try await doctor(daemon).contains("Nothing is in progress.") }
      try await containerd.shell.succeed(
        "ctr tasks kill -s KILL waits; ctr tasks delete -f waits; ctr containers delete waits")
    }
  }

  /// The daemon may keep this much of what it takes from now on, its program's own pages among it, and its disk gives a little.
  private static let memory = 48 << 20
  private static let rate = 2 << 20

  @Test func `without memory and disk every call ends, by its answer or by its deadline`() async throws {
    try await with("--call-limit 20") { containerd, daemon in
      let scripts = ["head -c 12M /dev/urandom > a", "head -c 12M /dev/urandom > b", "echo small > small"]
      try await containerd.push("plain:1", scripts, compression: .gzip)
      try await containerd.push(.eStargz, "lazy:1", scripts, daemon)
      let name = "nagaya-starved-\(UInt32.random(in: 0 ... .max))"
      let (memory, disk) = ("/sys/fs/cgroup/memory/\(name)", "/sys/fs/cgroup/blkio/\(name)")
      try await daemon.shell.succeed(
        """
        mkdir \(memory) && echo \(Self.memory) > \(memory)/memory.limit_in_bytes
        echo $(cat \(daemon.directory)/pid) > \(memory)/cgroup.procs
        mkdir \(disk) && device=$(stat -c '%Hd:%Ld' \(daemon.root))
        for way in read write; do
          echo "${device%:*}:0 \(Self.rate)" > \(disk)/blkio.throttle.${way}_bps_device 2>/dev/null \
            || echo "$device \(Self.rate)" > \(disk)/blkio.throttle.${way}_bps_device || echo "no throttle of $device"
        done
        echo $(cat \(daemon.directory)/pid) > \(disk)/cgroup.procs
        """)
      do { try await starve(containerd, daemon) } catch {
        await release(daemon, memory, disk)
        throw error
      }
      await release(daemon, memory, disk)
      // And goes on as if nothing had been.
      for image in ["plain:1", "lazy:1"] {
        try await eventually("\(image) runs") { (try? await containerd.pull(image)) != nil }
        try await eventually("\(image) is read") { (try? await containerd.run(image, "/small")) == "small\n" }
      }
    }
  }

  /// - Returns when all calls have ended.
  private func starve(_ containerd: ContainerdFixture, _ daemon: ImagesDaemon) async throws {
    let snapshots = "ctr snapshots --snapshotter nagaya"
    let commands =
      ["plain:1", "lazy:1"].map { "ctr images pull --plain-http --snapshotter nagaya \(containerd.registry)/\($0)" }
      + (0..<6).map { caller in
        """
        for i in 1 2 3 4 5; do
          \(snapshots) prepare k\(caller)-$i && \(snapshots) mounts /nowhere k\(caller)-$i && \(snapshots) info k\(caller)-$i
          \(snapshots) ls; \(snapshots) usage; \(snapshots) remove k\(caller)-$i
        done
        """
      }
    let longest = try await withThrowingTaskGroup(of: Duration.self) { group in
      for command in commands {
        group.addTask {
          let begin = ContinuousClock.now
          // The limit of the command itself is far away: who reaches it hangs.
          let output = try await containerd.shell(command, seconds: 900)
          #expect(output.status != 124, "a call never ended: \(output)")
          return .now - begin
        }
      }
      return try await group.reduce(Duration.zero) { max($0, $1) }
    }
    #expect(longest > .zero)
    let report = try JSONValue(parsing: Array(try await doctor(daemon, "-o json").utf8))
    let seconds = report["longestSeconds"].double ?? 0
    #expect(seconds > 0)
    figure("starved.longest_call", (seconds * 100).rounded() / 100, "s")
    figure("starved.calls_given_up", report["timedOut"].int ?? 0, "count")
  }

  private func release(_ daemon: ImagesDaemon, _ memory: String, _ disk: String) async {
    _ = try? await daemon.shell(
      """
      for group in \(memory) \(disk); do
        for p in $(cat $group/cgroup.procs); do echo $p > $(dirname $group)/cgroup.procs; done
        for i in $(seq 100); do rmdir $group && break; sleep 0.05; done
      done
      """)
  }
}
