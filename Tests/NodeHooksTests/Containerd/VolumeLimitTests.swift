import LinuxSystem
import NRI
import NRIHarness
import TestSupport
import Testing

@testable import NodeHooks

@Suite(.serialized) struct VolumeLimitTests {
  private static let policies = """
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: slow}
    spec: {volumeIO: [{writeBytesPerSecond: 8Mi}]}
    """

  /// Which of both happens, is the machine's: cgroup v1 can't limit devices by NRI.
  @Test func `a container writes to its volume no faster than the policy says, or it is said that the kernel can't`()
    async throws
  {
    try await ContainerdStage.with { stage in
      let volume = "\(stage.directory)/pods/p/volumes/csi/pvc-1/mount"
      try await stage.shell.succeed(
        """
        mkdir -p \(volume) && truncate -s 128M \(stage.directory)/disk && mkfs.ext4 -q \(stage.directory)/disk
        mount -o loop \(stage.directory)/disk \(volume)
        """)
      try await RunningHooks.with(stage, policies: Self.policies) { running in
        let pod = try await stage.runPod()
        let id = try await stage.start("main", in: pod, mounts: ["/volume": volume])
        let lines = try await stage.output(of: "main", in: pod)
        let rate = try #require(lines.first { $0.hasPrefix("wrote ") })
        let decided = running.hooks.decisions().flatMap(\.lines)
        guard KernelLimits.current.limitsDevices else {
          #expect(decided == ["limits of volumes' devices need cgroup v2 and are left out, policies slow"])
          return
        }
        let device = try #require(VolumeDevices.device(below: volume))
        #expect(decided == ["io.max \(device) rbps=max wbps=8388608 riops=max wiops=max, by policies slow"])
        func limit() async throws -> String {
          try await stage.shell.succeed(
            "cat /sys/fs/cgroup$(cut -d: -f3 /proc/$(ctr tasks ls | awk '$1 == \"\(id)\" {print $2}')/cgroup)/io.max")
        }
        let held = try await limit()
        #expect(held.contains("\(device) rbps=max wbps=8388608"), "\(held)")
        print("at 8192 KiB/s, a container \(rate)")
        try SmallFile.write(
          Array(Self.policies.replacing("8Mi", with: "16Mi").utf8), to: "\(stage.directory)/policies.yaml")
        try await eventually("the running container has the new limit") { try await limit().contains("wbps=16777216") }
      }
      try await stage.shell.succeed("umount -l \(volume)")
    }
  }
}
