import LinuxSystem
import Locking
import NRI
import NRIHarness
import TestSupport
import Testing

@testable import NodeHooks

/// How fast containers write to their volumes, past the page cache. Which half of each test is true, is the machine's: cgroup v1
/// can't limit devices by NRI. `make throttle-test GUEST=...` runs them where cgroup v2 is, and looks at the figures.
@Suite(.serialized) struct VolumeLimitTests {
  /// A volume as a kubelet has it, with a file system of its own.
  private struct Volume {
    let stage: ContainerdStage
    let path: String

    static func with(_ stage: ContainerdStage, _ body: @Sendable (Volume) async throws -> Void) async throws {
      let path = "\(stage.directory)/pods/p/volumes/csi/pvc-1/mount"
      try await stage.shell.succeed(
        """
        mkdir -p \(path) && truncate -s 128M \(stage.directory)/disk && mkfs.ext4 -q \(stage.directory)/disk
        mount -o loop \(stage.directory)/disk \(path)
        """)
      let result: Result<Void, any Error>
      do { result = .success(try await body(Volume(stage: stage, path: path))) } catch { result = .failure(error) }
      try await stage.shell.succeed("umount -l \(path)")
      try result.get()
    }

    /// What the kernel holds a container to.
    func limit(_ id: String) async throws -> String {
      try await stage.shell.succeed(
        "cat /sys/fs/cgroup$(cut -d: -f3 /proc/$(ctr tasks ls | awk '$1 == \"\(id)\" {print $2}')/cgroup)/io.max")
    }

    /// Has a container write anew, and waits for the rate that it prints.
    func again(_ name: String, in pod: ContainerdStage.Pod) async throws -> Double {
      let before = try await rates(name, in: pod).count
      try SmallFile.write([], to: "\(path)/again")
      try await eventually("it has written again") { try await rates(name, in: pod).count > before }
      return try #require(try await rates(name, in: pod).last)
    }

    /// KiB a second, of each time that a container wrote.
    func rates(_ name: String, in pod: ContainerdStage.Pod) async throws -> [Double] {
      try await stage.output(of: name, in: pod).compactMap { line in
        let words = line.split(separator: " ")
        return words.first == "wrote" && words.count == 3 ? Double(words[1]) : nil
      }
    }
  }

  private static func note(_ name: String, _ rate: Double, of limit: Double) {
    figure("hooks.throttle.\(name)", (rate / limit * 1000).rounded() / 10, "percent")
  }

  private static let policy = """
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: slow}
    spec: {volumeIO: [{writeBytesPerSecond: 8Mi}]}
    """

  @Test func `a container writes to its volume no faster than the policy says, or it is said that the kernel can't`()
    async throws
  {
    try await ContainerdStage.with { stage in
      try await Volume.with(stage) { volume in
        try await RunningHooks.with(stage, policies: Self.policy) { running in
          let pod = try await stage.runPod()
          let id = try await stage.start("main", in: pod, mounts: ["/volume": volume.path])
          let rates = try await volume.rates("main", in: pod)
          let decided = running.hooks.decisions().flatMap(\.lines)
          guard KernelLimits.current.limitsDevices else {
            #expect(decided == ["limits of volumes' devices need cgroup v2 and are left out, policies slow"])
            return
          }
          let device = try #require(MountedDevices().device(at: volume.path))
          #expect(decided == ["io.max \(device) rbps=max wbps=8388608 riops=max wiops=max, by policy slow"])
          let held = try await volume.limit(id)
          #expect(held.contains("\(device) rbps=max wbps=8388608"), "\(held)")
          Self.note("policy", try #require(rates.first), of: 8192)
          try SmallFile.write(
            Array(Self.policy.replacing("8Mi", with: "16Mi").utf8), to: "\(stage.directory)/policies.yaml")
          try await eventually("the running container has the new limit") {
            try await volume.limit(id).contains("wbps=16777216")
          }
        }
      }
    }
  }

  /// A volume, its storage class of 8 MiB/s, and the attributes class that it has.
  private static func classes(_ attributes: String?) -> String {
    """
    {apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: slow}, provisioner: local.nagaya.dev, parameters: {local.nagaya.dev/writeBytesPerSecond: 8Mi}}
    ---
    {apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: silver}, driverName: local.nagaya.dev, parameters: {local.nagaya.dev/writeBytesPerSecond: 12Mi}}
    ---
    {apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: gold}, driverName: local.nagaya.dev, parameters: {local.nagaya.dev/writeBytesPerSecond: 16Mi}}
    ---
    apiVersion: v1
    kind: PersistentVolume
    metadata: {name: pvc-1}
    spec:
      storageClassName: slow
      \(attributes.map { "volumeAttributesClassName: \($0)" } ?? "volumeMode: Filesystem")
      csi: {driver: local.nagaya.dev, volumeHandle: pvc-1}
    """
  }

  @Test func `a volume's classes hold while containers run, and over restarts of containerd and of the hooks`()
    async throws
  {
    try await ContainerdStage.with { stage in
      try await Volume.with(stage) { volume in
        let pod = try await stage.runPod()
        let ids = Ids()
        try await RunningHooks.with(stage, policies: Self.classes(nil)) { running in
          ids.first = try await stage.start("main", in: pod, mounts: ["/volume": volume.path])
          let rates = try await volume.rates("main", in: pod)
          guard KernelLimits.current.limitsDevices else {
            #expect(
              running.hooks.decisions().flatMap(\.lines)
                == ["limits of volumes' devices need cgroup v2; those of volumes' classes are left out"])
            return
          }
          Self.note("storage-class", try #require(rates.first), of: 8192)
          // Another class, live.
          try SmallFile.write(Array(Self.classes("gold").utf8), to: "\(stage.directory)/policies.yaml")
          try await eventually("the running container has the limit of gold") {
            try await volume.limit(ids.first).contains("wbps=16777216")
          }
          Self.note("live", try await volume.again("main", in: pod), of: 16_384)
          try await stage.endContainerd("KILL")
          let connections = try await running.disconnected()
          try await stage.startContainerd()
          try await running.connected(connections + 1)
          #expect(try await volume.limit(ids.first).contains("wbps=16777216"))
          Self.note("after-containerd", try await volume.again("main", in: pod), of: 16_384)
        }
        guard KernelLimits.current.limitsDevices else { return }
        // While no hooks are there, what was set holds; what changed meanwhile comes with them.
        #expect(try await volume.limit(ids.first).contains("wbps=16777216"))
        try await RunningHooks.with(stage, policies: Self.classes("silver")) { _ in
          try await eventually("the running container has the limit of silver") {
            try await volume.limit(ids.first).contains("wbps=12582912")
          }
          Self.note("after-hooks", try await volume.again("main", in: pod), of: 12_288)
          let second = try await stage.start("second", in: pod, mounts: ["/volume": volume.path])
          #expect(try await volume.limit(second).contains("wbps=12582912"))
          Self.note("new-container", try #require(try await volume.rates("second", in: pod).first), of: 12_288)
        }
        // A class that goes takes its limit along, also from containers that earlier hooks limited.
        try await RunningHooks.with(
          stage, policies: Self.classes(nil).replacing("storageClassName: slow", with: "storageClassName: plain")
        ) { _ in
          try await eventually("nothing limits the running container") {
            try await !volume.limit(ids.first).contains("wbps=12582912")
          }
        }
      }
    }
  }

  private final class Ids: Sendable {
    private let kept = Mutex("")
    var first: String {
      get { kept.withLock { $0 } }
      set { kept.withLock { $0 = newValue } }
    }
  }
}
