import KubernetesAPI
import LinuxSystem
import NRI
import TestSupport
import Testing

@testable import NodeHooks

/// Pods whose authors want more of a node than policies give them.
@Suite struct NodeHookAttacks {
  private static let shop = """
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop-dev, labels: {nagaya.dev/tenant: shop}}
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: bank-dev, labels: {nagaya.dev/tenant: bank}}
    ---
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: shop}
    spec:
      match: {tenants: [shop]}
      ulimits: [{type: NOFILE, soft: 64, hard: 128, max: 256}, {type: CORE, hard: 0, max: 0}]
      resources: {pids: {max: 100}, memory: {max: 64Mi}}
      oomScoreAdj: {min: 100}
      mounts: [{name: words, hostPath: /usr, mountPath: /words, when: Asked}]
    ---
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: bank}
    spec:
      match: {tenants: [bank]}
      mounts: [{name: ledgers, hostPath: /etc, mountPath: /ledgers, when: Asked}]
    """

  private static let key = "ulimits.noderesource.dev/container.db"
  private static let oldKey = "ulimits.nri.containerd.io/container.db"

  /// What a container of the shop's gets; `nil`: it is not made.
  private func adjustment(
    _ annotations: [String: String], failure: FailPolicy = .fail, namespace: String = "shop-dev",
    container: NRIContainer = .with { $0.name = "db" }
  ) throws -> NRIContainerAdjustment? {
    let decider = HookDecider(
      try PolicyTests.source(Self.shop), kernel: KernelLimits(openFiles: 1_048_576), failure: failure)
    return try? decider.decide(PolicyTests.pod(namespace, annotations), container).adjustment.wire
  }

  private func openFiles(_ adjustment: NRIContainerAdjustment?) -> UInt64? {
    adjustment?.rlimits.first { $0.type == "RLIMIT_NOFILE" }?.hard
  }

  @Test(
    arguments: [
      ("an annotation above the tenant's bound", key, "- {type: NOFILE, soft: 1, hard: 257}"),
      ("the same by the old key", oldKey, "- {type: nofile, soft: 1, hard: 100000}"),
      ("a soft limit above the bound", key, "- {type: NOFILE, soft: 300, hard: 300}"),
      (
        "a small limit first, a large one behind it", key,
        "- {type: NOFILE, hard: 1}\n- {type: RLIMIT_NOFILE, hard: 999}"
      ),
      ("infinity", key, "- {type: NOFILE, hard: 18446744073709551615}"),
      ("a number that overflows", key, "- {type: NOFILE, hard: 18446744073709551617}"),
      ("cores, which the policy forbids", key, "- {type: CORE, hard: 1}"),
    ], FailPolicy.allCases)
  func `limits of processes beyond the bound`(_ way: (String, String, String), _ failure: FailPolicy) async throws {
    let held = try await attempt(
      Attack(.editor, "\(way.0), on error \(failure.rawValue)", on: .nodeMemory)
    ) {
      let got = try adjustment([way.1: way.2], failure: failure)
      let core = got?.rlimits.first { $0.type == "RLIMIT_CORE" }?.hard
      let isHeld = got == nil || (openFiles(got) ?? .max) <= 256 && core == 0
      return .check(isHeld, got.map { "\($0.rlimits.map { "\($0.type) \($0.hard)" })" } ?? "not made")
    }
    #expect(held)
  }

  /// With Ignore a container is made without what is wrong: that must not shake off the policy.
  @Test(
    arguments: [
      "nonsense", "- {type: NOFILES}", String(repeating: "x", count: 100_000), String(repeating: "- ", count: 9000),
      "a: &a [1,1,1]\nb: [*a,*a]\n", "- {type: NOFILE, soft: 2, hard: 1}",
    ])
  func `an annotation that is wrong, to be rid of the policy's limits`(_ text: String) async throws {
    let held = try await attempt(Attack(.editor, "a wrong annotation: \(text.prefix(20))", on: .nodeMemory)) {
      let got = try adjustment([Self.key: text], failure: .ignore)
      return .check(
        openFiles(got) == 128 && got?.linux.resources.pids.limit == 100, "\(String(describing: openFiles(got)))")
    }
    #expect(held)
  }

  @Test(arguments: ["/etc", "/etc/shadow", "../words", "ledgers", "words,/etc", "words\n/etc"])
  func `places of the node that no policy of theirs offers`(_ asked: String) async throws {
    let held = try await attempt(Attack(.editor, "a mount by annotation: \(asked)", on: .nodeFiles)) {
      let got = try adjustment(["inject.nagaya.dev/container.db": asked])
      return .check(got == nil, "\(got?.mounts.map(\.source) ?? [])")
    }
    #expect(held)
  }

  @Test func `a directory that others may write, exchanged with a symbolic link`() async throws {
    let directory = "/var/lib/nagaya-attack-\(UInt32.random(in: 0 ... .max))"
    try Directory.make("\(directory)/offered", permissions: 0o755)
    defer { try? Directory.removeTree(directory) }
    let source = PolicySource()
    var policy = NodePolicy(name: "p")
    policy.mounts = [
      .init(name: "m", hostPath: "\(directory)/offered", mountPath: "/m", isReadOnly: true, injection: .always)
    ]
    source.use(PolicySet([policy]))
    let decider = HookDecider(source)
    func got() -> [String] {
      (try? decider.decide(PolicyTests.pod(), PolicyTests.container).adjustment.wire.mounts.map(\.source)) ?? []
    }
    #expect(got() == ["\(directory)/offered"])
    let ways: [(String, String)] = [
      ("its parent may be written by all", "chmod 777 \(directory)"),
      ("its parent is somebody's", "chmod 755 \(directory); chown 1000 \(directory)"),
      ("it is a link to /etc", "chown 0 \(directory); rm -r \(directory)/offered; ln -s /etc \(directory)/offered"),
    ]
    for (way, command) in ways {
      let held = try await attempt(Attack(.pod, "an offered mount: \(way)", on: .nodeFiles)) {
        try await Command.run("/bin/sh", ["-c", command])
        return .check(got().isEmpty, "\(got())")
      }
      #expect(held)
    }
  }

  @Test(
    arguments: [
      ("none at all", NRIContainer.with { $0.name = "db" }),
      (
        "more than the bound",
        .with {
          $0.name = "db"
          $0.linux.resources.memory.limit.value = .max
          $0.linux.resources.pids.limit = .max
          $0.linux.oomScoreAdj.value = -1000
        }
      ),
      (
        "negative limits, which are none",
        .with {
          $0.name = "db"
          $0.linux.resources.memory.limit.value = -1
          $0.linux.resources.pids.limit = -1
          $0.linux.oomScoreAdj.value = -998
        }
      ),
    ])
  func `resources beyond the bound`(_ way: String, _ container: NRIContainer) async throws {
    let held = try await attempt(Attack(.editor, "limits of a container: \(way)", on: .nodeMemory)) {
      let got = try adjustment([:], container: container)?.linux
      let isHeld =
        got?.resources.memory.limit.value == 64 << 20 && got?.resources.pids.limit == 100
        && got?.oomScoreAdj.value == 100
      return .check(isHeld, "\(String(describing: got))")
    }
    #expect(held)
  }

  @Test func `a pod of a namespace that nobody has heard of yet`() async throws {
    let held = try await attempt(Attack(.tenantAdmin, "a pod right behind its new namespace", on: .nodeMemory)) {
      let source = try PolicyTests.source(Self.shop)
      source.use(owners: ["bank-dev": "bank"], isComplete: false)
      let got = try? HookDecider(source, failure: .ignore).decide(PolicyTests.pod("shop-new"), PolicyTests.container)
      return .check(got == nil, "\(got?.lines ?? [])")
    }
    #expect(held)
  }

  @Test(
    arguments: [
      ("volumes/csi/v1/mount", "the whole volume"), ("volumes/subpath/db/0", "a part of it"),
      ("volume-subpaths/v1/db/0", "a part, as a kubelet mounts it"),
    ])
  func `a volume mounted in another way, to be rid of its limits`(_ way: (String, String)) async throws {
    let held = try await attempt(Attack(.editor, "a volume beyond its class: \(way.1)", on: .nodeDisk)) {
      var got: [String] = []
      try StagedVolumes.with("v1") { volumes throws in
        if !MountedDevices().isMounted("\(volumes.pod)/\(way.0)") {
          try StagedVolumes.mount("\(volumes.pod)/\(way.0)", volumes.pod)
        }
        let objects = VolumeClassTests.slow + VolumeClassTests.volume("v1", "storageClassName: slow")
        got = try VolumeClassTests.lines(objects, volumes.container(way.0))
      }
      return .check(got.first?.contains("rbps=10485760") == true, "\(got)")
    }
    #expect(held)
  }

  @Test func `a fast attributes class named by a claim, above what the policy gives the tenant`() async throws {
    let held = try await attempt(Attack(.editor, "an attributes class without a limit", on: .nodeDisk)) {
      var got: [String] = []
      try StagedVolumes.with("v1") { volumes throws in
        let objects = """
          {apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: fast}, driverName: local.nagaya.dev, parameters: {local.nagaya.dev/readBytesPerSecond: 1E}}
          ---
          {apiVersion: v1, kind: Namespace, metadata: {name: shop-dev, labels: {nagaya.dev/tenant: shop}}}
          ---
          apiVersion: nagaya.dev/v1alpha1
          kind: NodePolicy
          metadata: {name: shop}
          spec: {match: {tenants: [shop]}, volumeIO: [{readBytesPerSecond: 5Mi}]}

          """
        got = try VolumeClassTests.lines(
          objects + VolumeClassTests.volume("v1", "volumeAttributesClassName: fast"),
          volumes.container("volumes/csi/v1/mount"))
      }
      return .check(got.first?.contains("rbps=5242880") == true, "\(got)")
    }
    #expect(held)
  }
}
