import PlatformHarness
import TestSupport
import Testing

/// A full disk is no outage: it does not pass while a reader waits.
@Suite(.serialized) struct DiskFullTests {
  @Test(arguments: ["fanotify", "fuse"])
  func `a read that finds no room fails at once, and succeeds when there is room again`(_ fill: String) async throws {
    try await ImagesDaemon.with(options: "--background-rate 0 --fill \(fill)", diskBytes: 48 << 20) { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        // Noise, so that its chunks take room on the disk, and no page of it comes along with the program.
        try await containerd.push(
          .eStargz, "box:1", ["true", "head -c 6000000 /dev/urandom | base64 -w 0 > big; sha256sum < big > sum"], daemon
        )
        try await containerd.pull("box:1")
        try await containerd.shell.succeed(
          "ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 full /app wait")
        let sum = try await containerd.shell.succeed("ctr tasks exec --exec-id e0 full /app /sum")
        try await containerd.shell.succeed(
          "dd if=/dev/zero of=\(daemon.root)/ballast bs=64k 2>/dev/null || true; sync; df -k \(daemon.root)")
        // The deadline of a reader is five minutes; the command has one.
        let read = "ctr tasks exec --exec-id e$RANDOM full /app /big"
        let bytes = try await containerd.shell.succeed("\(read) | wc -c", seconds: 60)
        #expect(Int(bytes.filter(\.isNumber)) ?? .max < 8_000_000)
        #expect(try await daemon.metric("nagaya_images_failed_reads_total") > 0)
        try await containerd.shell.succeed("rm \(daemon.root)/ballast; sync")
        try await eventually("all of it is read") {
          try await containerd.shell.succeed("\(read) | sha256sum", seconds: 60) == sum
        }
        try await containerd.shell.succeed(
          "ctr tasks kill -s KILL full; ctr tasks delete -f full; ctr containers delete full")
      }
    }
  }
}
