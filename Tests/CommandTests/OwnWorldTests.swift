import Foundation
import PlatformHarness
import TestSupport
import Testing

/// `scripts/in-own-world`, in which all tests run: what a run started must not outlive it.
@Suite struct OwnWorldTests {
  private static let script = "\(PlatformInstance.root)/scripts/in-own-world"

  @Test func `its processes, mounts and firewall tables end with a run that is killed`() async throws {
    let name = "ngw\(UInt32.random(in: 0...UInt32.max))"
    let directory = "/tmp/nagaya-\(name)"
    let shell = Shell()
    try await shell.succeed("mkdir \(directory)")
    // A daemon in a session of its own, as containerd is, then a process that waits to be killed.
    let runner = Process()
    runner.executableURL = URL(fileURLWithPath: Self.script)
    runner.arguments = [
      "/bin/bash", "-c",
      """
      set -e
      mount -t tmpfs \(name) \(directory)/mnt
      nft add table inet \(name)
      setsid sleep 100\(name.dropFirst(3)) </dev/null >/dev/null 2>&1 &
      ip netns add \(name)
      touch \(directory)/ready
      exec sleep 1000
      """,
    ]
    try await shell.succeed("mkdir \(directory)/mnt")
    try runner.run()
    try await eventually("the run is under way") { FileManager.default.fileExists(atPath: "\(directory)/ready") }
    #expect(try await shell("pgrep -f 'sleep 100\(name.dropFirst(3))'").succeeded)
    kill(runner.processIdentifier, SIGKILL)
    runner.waitUntilExit()
    try await eventually("its daemon has ended") {
      try await !shell("pgrep -f '[s]leep 100\(name.dropFirst(3))'").succeeded
    }
    #expect(try await !shell("grep -F \(name) /proc/self/mountinfo").succeeded)
    #expect(try await !shell("nft list table inet \(name)").succeeded)
    #expect(try await !shell("ip netns list | grep -w \(name)").succeeded)
    try await shell.succeed("rm -r \(directory)")
  }

  @Test(arguments: [0, 3]) func `it answers what its command answers`(code: Int) async throws {
    let output = try await Shell()("\(Self.script) /bin/bash -c 'echo said; exit \(code)'")
    #expect(output.status == Int32(code) && output.out == "said\n")
  }
}
