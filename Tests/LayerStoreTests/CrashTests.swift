import Foundation
import LayerStore
import LinuxSystem
import OCI
import PlatformHarness
import Testing

/// Processes are killed while programs read.
@Suite struct CrashTests {
  @Test func `readers wait while the daemon is dead and go on with the next one`() async throws {
    let layer = try await TestLayer.converted([300_000, 5_000_000, 40])
    let hex = layer.key.blob.hex
    try await withDaemon([layer]) { daemon in
      try await daemon.start(["add:\(hex)", "mount:\(hex)"])
      let root = daemon.mountPoint(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      // One reader's question is read by the daemon and never answered, the other's is not even read.
      try daemon.set("held", true)
      async let first = sha256("\(root)/f1")
      try await eventually("the fetch began") { daemon.fetches > 1 }
      try await daemon.kill()
      async let second = sha256("\(root)/f2")
      try await Task.sleep(for: .milliseconds(200))  // a wrong answer would be given by now
      #expect(daemon.helpers().count == 2)
      try daemon.set("held", false)
      try daemon.forgetFetches()
      try await daemon.start()
      #expect(try await first == layer.digests["f1"])
      #expect(try await second == layer.digests["f2"])
      // What was there is not fetched again.
      let fetches = daemon.fetches
      try await shell.succeed("echo 1 > /proc/sys/vm/drop_caches")
      #expect(try await digests(root) == layer.digests)
      #expect(daemon.fetches == fetches)
      try await daemon.terminate()
    }
  }
}
