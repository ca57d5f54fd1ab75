import KubernetesAPI
import LinuxSystem
import NRI
import PlatformHarness
import TestSupport
import Testing

@testable import NodeHooks

/// How fast containers use their volumes' devices: what classes say, and what policies allow.
struct VolumeClassTests {
  static let kernel = KernelLimits(openFiles: nil, limitsDevices: true)

  static func volume(_ name: String, _ spec: String, driver: String = "local.nagaya.dev") -> String {
    """
    ---
    apiVersion: v1
    kind: PersistentVolume
    metadata: {name: \(name)}
    spec: {\(spec), csi: {driver: \(driver), volumeHandle: \(name)}}

    """
  }

  private static func storageClass(_ name: String, _ parameters: String) -> String {
    """
    ---
    {apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: \(name)}, provisioner: local.nagaya.dev, parameters: {\(parameters)}}

    """
  }

  private static func attributes(_ name: String, _ parameters: String) -> String {
    """
    ---
    {apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: \(name)}, driverName: local.nagaya.dev, parameters: {\(parameters)}}

    """
  }

  private static func policy(_ name: String, _ rules: String, order: Int = 1) -> String {
    """
    ---
    {apiVersion: nagaya.dev/v1alpha1, kind: NodePolicy, metadata: {name: \(name)}, spec: {order: \(order), volumeIO: [\(rules)]}}

    """
  }

  static let slow = storageClass(
    "slow", "local.nagaya.dev/readBytesPerSecond: 10Mi, local.nagaya.dev/writeBytesPerSecond: 5Mi")
  private static let gold = attributes("gold", "local.nagaya.dev/readBytesPerSecond: 40Mi")

  static func lines(_ objects: String, _ container: NRIContainer) throws -> [String] {
    let decider = HookDecider(try PolicyTests.source(objects), kernel: kernel)
    return try decider.decide(PolicyTests.pod(), container).lines
  }

  @Test func `a volume has the limits of its storage class`() throws {
    try StagedVolumes.with("v1") { volumes throws in
      let objects = Self.slow + Self.volume("v1", "storageClassName: slow")
      #expect(
        try Self.lines(objects, volumes.container("volumes/csi/v1/mount"))
          == ["io.max \(volumes.device) rbps=10485760 wbps=5242880 riops=max wiops=max, by storage class slow"])
      // Of a class that says nothing, of another driver, or of no volume that is known: none.
      let others =
        Self.slow + Self.volume("v1", "storageClassName: plain")
        + Self.volume("v2", "storageClassName: slow", driver: "other.example")
      for source in ["volumes/csi/v1/mount", "volumes/csi/v2/mount", "volumes/csi/v3/mount", "elsewhere"] {
        #expect(try Self.lines(others, volumes.container(source)) == [])
      }
    }
  }

  @Test func `a volume that is not seen from here is told of, if something is wanted of it`() throws {
    let container = NRIContainer.with { $0.mounts = [.with { $0.source = "/no/such/volumes/csi/v1/mount" }] }
    let told = try Self.lines(Self.slow + Self.volume("v1", "storageClassName: slow"), container)
    #expect(
      told.count == 1 && told.first?.hasPrefix("the volume at /no/such/volumes/csi/v1/mount can't be seen") == true)
    #expect(try Self.lines(Self.policy("p", "{readBytesPerSecond: 1}"), container).count == 1)
    #expect(try Self.lines(Self.slow + Self.volume("v1", "storageClassName: plain"), container) == [])
  }

  @Test func `the attributes class wins where it says something, and the storage class holds where it does not`() throws
  {
    try StagedVolumes.with("v1") { volumes throws in
      let objects = Self.slow + Self.gold + Self.volume("v1", "storageClassName: slow, volumeAttributesClassName: gold")
      #expect(
        try Self.lines(objects, volumes.container("volumes/csi/v1/mount")) == [
          "io.max \(volumes.device) rbps=41943040 wbps=5242880 riops=max wiops=max, "
            + "by volume attributes class gold, storage class slow"
        ])
      let missing = Self.slow + Self.volume("v1", "storageClassName: slow, volumeAttributesClassName: silver")
      #expect(
        try Self.lines(missing, volumes.container("volumes/csi/v1/mount")).first?.hasSuffix("by storage class slow")
          == true)
    }
  }

  @Test func `policies bound what classes say, and hold where classes say nothing`() throws {
    try StagedVolumes.with("v1") { volumes throws in
      let volume = Self.volume("v1", "storageClassName: slow, volumeAttributesClassName: gold")
      let container = volumes.container("volumes/csi/v1/mount")
      let bound = Self.policy(
        "small", "{readBytesPerSecond: 20Mi, writeBytesPerSecond: 1Gi, readOperationsPerSecond: 100}")
      #expect(
        try Self.lines(Self.slow + Self.gold + volume + bound, container) == [
          "io.max \(volumes.device) rbps=20971520 wbps=5242880 riops=100 wiops=max, "
            + "by volume attributes class gold, storage class slow, policy small"
        ])
      // Of each device the first rule counts.
      let rules = Self.policy(
        "first", "{storageClasses: [other], readBytesPerSecond: 1}, {storageClasses: [slow], readBytesPerSecond: 2}")
      let more = Self.policy("second", "{readBytesPerSecond: 3, writeBytesPerSecond: 3}", order: 2)
      #expect(
        try Self.lines(volume + rules + more, container)
          == ["io.max \(volumes.device) rbps=2 wbps=max riops=max wiops=max, by policy first"])
    }
  }

  @Test func `of volumes on one device the lowest limits hold`() throws {
    try StagedVolumes.with("v1", "v2") { volumes throws in
      let objects =
        Self.slow + Self.storageClass("slower", "local.nagaya.dev/readBytesPerSecond: 1Mi")
        + Self.volume("v1", "storageClassName: slow") + Self.volume("v2", "storageClassName: slower")
      let container = volumes.container("volumes/csi/v1/mount", "volumes/csi/v2/mount")
      #expect(
        try Self.lines(objects, container).first?.hasPrefix(
          "io.max \(volumes.device) rbps=1048576 wbps=5242880 riops=max wiops=max, by storage class slow") == true)
    }
  }

  @Test func `without cgroup v2 it is said that limits of classes are left out`() throws {
    let source = try PolicyTests.source(Self.slow)
    let decider = HookDecider(source, kernel: KernelLimits(openFiles: nil))
    let container = NRIContainer.with { $0.mounts = [.with { $0.source = "/p/volumes/csi/v1/mount" }] }
    #expect(
      try decider.decide(PolicyTests.pod(), container).lines
        == ["limits of volumes' devices need cgroup v2; those of volumes' classes are left out"])
    #expect(try decider.decide(PolicyTests.pod(), NRIContainer()).lines == [])
  }

  @Test(
    arguments: [
      ("/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/pvc-1/mount", .volume("pvc-1")),
      ("/var/lib/nagaya/node/pods/u/volumes/csi/pvc-2/mount", .volume("pvc-2")),
      ("/var/lib/kubelet/pods/u/volume-subpaths/pvc-3/db/0", .part(of: "pvc-3")),
      ("/n/pods/u/volumes/subpath/db/1", .partOfOne(in: "/n/pods/u/volumes/csi")), ("/etc/hosts", nil),
      ("/x/volumes/kubernetes.io~empty-dir/pvc-1/mount", nil), ("mount", nil), ("/n/pods/u/volumes/files/db/1", nil),
    ] as [(String, VolumeDevices.Place?)])
  func `a volume is found by where it is mounted`(_ path: String, _ place: VolumeDevices.Place?) {
    #expect(VolumeDevices.Place(path) == place)
  }

  @Test func `devices are read of the kernel's table of mounts`() {
    let mounts = MountedDevices(
      table: """
        22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
        30 22 0:25 / /p/volumes/csi/tmp/mount rw - tmpfs tmpfs rw
        31 22 7:0 / /p/volumes/csi/v1/mount rw - xfs /dev/loop0 rw
        32 22 7:1 / /p/volumes/csi/v1/mount rw - xfs /dev/loop1 rw
        33 22 7:1 /part /p/volumes/subpath/db/0 rw - xfs /dev/loop1 rw
        34 22 7:2 / /p/with\\040blank\\134/mount rw - xfs /dev/loop2 rw
        cut off
        """)
    // What was mounted last is what is seen.
    #expect(mounts.device(at: "/p/volumes/csi/v1/mount") == "7:1")
    #expect(mounts.device(at: "/p/volumes/csi/tmp/mount") == nil && mounts.isMounted("/p/volumes/csi/tmp/mount"))
    #expect(mounts.device(at: "/p/with blank\\/mount") == "7:2")
    for path in ["/p", "/p/volumes/csi", "", "/p/volumes/csi/v1/mount/"] { #expect(!mounts.isMounted(path), "\(path)") }
    #expect(mounts.names(in: "/p/volumes/csi", on: "7:1") == ["v1"])
    #expect(mounts.names(in: "/p/volumes/csi", on: "7:9") == [] && mounts.names(in: "/p", on: "7:1") == [])
  }

  @Test func `a raw device is known by its file`() async throws {
    let directory = "/var/lib/nagaya-volumes-\(UInt32.random(in: 0 ... .max))"
    try Directory.make(directory)
    defer { try? Directory.removeTree(directory) }
    let shell = Shell()
    let loop = try await shell.succeed(
      "truncate -s 1M \(directory)/pvc-raw.img && losetup --show -f \(directory)/pvc-raw.img"
    ).filter { !$0.isNewline }
    let number = Int64(loop.dropFirst("/dev/loop".count)) ?? -1
    func container(_ minor: Int64) -> NRIContainer {
      .with { $0.linux.devices = [.with { ($0.path, $0.type, $0.major, $0.minor) = ("/dev/data", "b", 7, minor) }] }
    }
    let objects = Self.slow + Self.volume("pvc-raw", "storageClassName: slow")
    let lines = try? Self.lines(objects, container(number))
    let none = try? Self.lines(Self.slow, container(number))
    try await shell.succeed("losetup -d \(loop)")
    #expect(lines == ["io.max 7:\(number) rbps=10485760 wbps=5242880 riops=max wiops=max, by storage class slow"])
    #expect(none == [])
  }

  @Test(
    arguments: [
      (storageClass("s", "local.nagaya.dev/readBytesPerSecond: fast"), "StorageClass s"),
      (storageClass("s", "local.nagaya.dev/readBytes: 1"), "StorageClass s"),
      (attributes("a", "local.nagaya.dev/pool: x"), "VolumeAttributesClass a"),
    ])
  func `a file with a class that is wrong is not used`(_ text: String, _ words: String) {
    let fault = #expect(throws: PolicyFile.Fault.self) { try PolicyFile(text: text) }
    #expect(fault?.description.contains(words) == true, "\(String(describing: fault))")
  }
}
