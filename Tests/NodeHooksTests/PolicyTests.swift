import KubernetesAPI
import LinuxSystem
import NRI
import TestSupport
import Testing

@testable import NodeHooks

struct PolicyTests {
  /// A source with the policies of a file.
  static func source(_ text: String) throws -> PolicySource {
    let source = PolicySource()
    try PolicyFile(text: text).use(in: source)
    return source
  }

  static func pod(
    _ namespace: String = "shop-dev", labels: [String: String] = [:], _ annotations: [String: String] = [:]
  )
    -> NRIPodSandbox
  {
    .with {
      $0.name = "pod"
      $0.namespace = namespace
      $0.labels = labels
      $0.annotations = annotations
    }
  }

  static let container = NRIContainer.with { $0.name = "db" }
  static func ulimits(_ text: String) -> [String: String] { ["ulimits.noderesource.dev/container.db": text] }

  private func decide(
    _ policies: String, _ pod: NRIPodSandbox = pod(), _ container: NRIContainer = container,
    failure: FailPolicy = .fail, kernel: KernelLimits = KernelLimits(openFiles: 1_048_576)
  ) throws -> [String] {
    try HookDecider(try Self.source(policies), kernel: kernel, failure: failure).decide(pod, container).lines
  }

  private static func policy(_ name: String, _ spec: String) -> String {
    """
    ---
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: \(name)}
    spec: \(spec)

    """
  }

  private static let shop = """
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop-dev, labels: {nagaya.dev/tenant: shop}}

    """

  @Test func `a default holds where no annotation says otherwise`() throws {
    let policies = Self.policy("db-defaults", "{ulimits: [{type: NOFILE, soft: 1024, hard: 65536}]}")
    #expect(try decide(policies) == ["ulimit NOFILE 1024:65536, by policy db-defaults"])
    let asked = Self.pod("shop-dev", Self.ulimits("- {type: nofile, soft: 10, hard: 20}"))
    #expect(
      try decide(policies, asked)
        == ["ulimit NOFILE 10:20, by annotation ulimits.noderesource.dev/container.db, line 1"])
  }

  @Test func `an annotation lowers freely, and raises up to the bound`() throws {
    let policies =
      Self.shop + Self.policy("cap", "{match: {tenants: [shop]}, ulimits: [{type: NOFILE, hard: 100, max: 200}]}")
    for hard in [5, 100, 200] {
      let lines = try decide(policies, Self.pod("shop-dev", Self.ulimits("- {type: NOFILE, soft: 5, hard: \(hard)}")))
      #expect(lines.first?.hasPrefix("ulimit NOFILE 5:\(hard), by annotation") == true)
    }
    let above = Self.pod("shop-dev", Self.ulimits("- {type: NOFILE, soft: 5, hard: 201}"))
    let refusal = #expect(throws: HookRefusal.self) { try decide(policies, above) }
    #expect(refusal?.description.contains("line 1") == true && refusal?.description.contains("policy cap") == true)
    // With Ignore the policy's default holds, not what the runtime gives.
    #expect(try decide(policies, above, failure: .ignore).first == "ulimit NOFILE 100:100, by policy cap")
  }

  @Test func `the first policy that says something of an aspect counts`() throws {
    let policies =
      Self.policy("b", "{order: 20, ulimits: [{type: NOFILE, hard: 2, max: 2}], resources: {pids: {max: 50}}}")
      + Self.policy("a", "{order: 20, ulimits: [{type: NOFILE, max: 9}]}")
      + Self.policy("z", "{order: 10, ulimits: [{type: NPROC, hard: 7}]}")
    // The default is b's; the bound is a's, and so the annotation may pass b's.
    #expect(
      try decide(policies) == [
        "ulimit NOFILE 2:2, by policy b", "ulimit NPROC 7:7, by policy z", "pids 50, by policy b",
      ])
    let lines = try decide(policies, Self.pod("shop-dev", Self.ulimits("- {type: NOFILE, soft: 9, hard: 9}")))
    #expect(lines.first?.hasPrefix("ulimit NOFILE 9:9") == true)
  }

  @Test(
    arguments: [
      ("{}", true), ("{namespaces: [shop-dev]}", true), ("{namespaces: [shop-*]}", true),
      ("{namespaces: [shop]}", false), ("{namespaces: [other-*]}", false), ("{containers: [db]}", true),
      ("{containers: [web]}", false), ("{podSelector: {matchLabels: {tier: db}}}", true),
      ("{podSelector: {matchLabels: {tier: web}}}", false), ("{tenants: [shop]}", true),
      ("{tenants: [bank]}", false), ("{tenants: [shop], namespaces: [shop-dev], containers: [db]}", true),
      ("{tenants: [shop], namespaces: [bank-dev]}", false),
    ])
  func `a policy is for containers that have all it asks for`(_ match: String, _ isMatched: Bool) throws {
    let bank = Self.shop.replacing("shop", with: "bank")
    let policies = Self.shop + bank + Self.policy("p", "{match: \(match), resources: {pids: {max: 5}}}")
    #expect(try decide(policies, Self.pod("shop-dev", labels: ["tier": "db"])).isEmpty == !isMatched)
  }

  @Test func `nothing is let through while it is not known whose a namespace is`() throws {
    let source = try Self.source(
      Self.shop + Self.policy("p", "{match: {tenants: [shop]}, resources: {pids: {max: 5}}}"))
    source.use(owners: ["bank-dev": "bank"], isComplete: false)
    let decider = HookDecider(source, failure: .ignore)
    let refusal = #expect(throws: HookRefusal.self) { try decider.decide(Self.pod(), Self.container) }
    #expect(refusal?.description.contains("shop-dev") == true)
    source.set(owner: "shop", of: "shop-dev")
    #expect(try decider.decide(Self.pod(), Self.container).lines == ["pids 5, by policy p"])
  }

  @Test func `variables and mounts are injected, and those that are offered when a pod asks`() throws {
    let policies = Self.policy(
      "p",
      """
      {env: [{name: TZ, value: UTC}, {name: DEBUG, value: "1", when: Asked}],
       mounts: [{name: certs, hostPath: /etc, mountPath: /certs, when: Asked}, {name: usr, hostPath: /usr, mountPath: /u}]}
      """)
    #expect(try decide(policies) == ["env TZ=UTC, by policy p", "mount /usr at /u (read-only), by policy p"])
    let asking = Self.pod("shop-dev", ["inject.nagaya.dev/container.db": "DEBUG, certs"])
    let lines = try decide(policies, asking)
    #expect(lines.contains { $0.hasPrefix("mount /etc at /certs (read-only), asked for by annotation") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("env DEBUG=1, asked for") })
    let wrong = Self.pod("shop-dev", ["inject.nagaya.dev/container.db": "/etc/shadow"])
    #expect(throws: HookRefusal.self) { try decide(policies, wrong) }
    // What the pod says itself, stays.
    let own = NRIContainer.with {
      $0.name = "db"
      $0.env = ["TZ=Asia/Tokyo"]
      $0.mounts = [.with { $0.destination = "/u" }]
    }
    #expect(try decide(policies, Self.pod(), own).isEmpty)
  }

  @Test func `a policy that only says what would be, changes nothing`() throws {
    let policies = Self.policy("p", "{mode: Audit, resources: {pids: {max: 5}}}")
    let decision = try HookDecider(try Self.source(policies)).decide(Self.pod(), Self.container)
    #expect(decision.adjustment.isEmpty)
    #expect(decision.lines == ["audit: pids 5, by policy p"])
    let enforced = Self.policy("p", "{resources: {pids: {max: 5}}}")
    let all = try HookDecider(try Self.source(enforced), isAudit: true).decide(Self.pod(), Self.container)
    #expect(all.adjustment.isEmpty && all.lines == ["audit: pids 5, by policy p"])
  }

  @Test func `more open files than the kernel gives are refused with its limit`() throws {
    let pod = Self.pod("shop-dev", Self.ulimits("- {type: NOFILE, soft: 1, hard: 5000}"))
    let refusal = #expect(throws: HookRefusal.self) {
      try decide("", pod, kernel: KernelLimits(openFiles: 4999))
    }
    #expect(refusal?.description.contains("fs.nr_open is 4999") == true)
  }

  @Test(
    arguments: [
      ("kind: Pod", "neither"), ("a: [", "YAML"), (policy("p", "{ulimit: []}"), "spec.ulimit"),
      (policy("p", "{}") + policy("p", "{}"), "twice"), (policy("p", "{match: {tenants: [ghost]}}"), "tenant ghost"),
      ("apiVersion: nagaya.dev/v1alpha1\nkind: NodePolicy", "no name"),
      (policy("p", "{ulimits: [{type: NOFILE}]}"), "none of soft"), (policy("p", "{order: -1}"), "spec.order"),
      (policy("p", "{oomScoreAdj: {min: -1001}}"), "spec.oomScoreAdj.min"), (policy("p", "[]"), "must be an object"),
      (policy("p", "{mounts: [{name: a, hostPath: etc, mountPath: /a}]}"), "hostPath"),
    ])
  func `a file that is wrong is not used, and says where`(_ text: String, _ words: String) {
    let fault = #expect(throws: PolicyFile.Fault.self) { try PolicyFile(text: text) }
    #expect(fault?.description.contains(words) == true, "\(String(describing: fault))")
  }

  @Test func `devices of volumes are limited where the kernel can, and elsewhere that is said`() throws {
    let policies = Self.policy("io", "{volumeIO: [{readBytesPerSecond: 1Mi}]}")
    #expect(
      try decide(policies) == ["limits of volumes' devices need cgroup v2 and are left out, policies io"])
    #expect(try decide(policies, kernel: KernelLimits(openFiles: nil, limitsDevices: true)).isEmpty)
  }

  @Test func `policies and kernel name the same limits`() {
    #expect(NodePolicy.ulimitNames == Set(Rlimit.Kind.allCases.map(\.rawValue)))
  }

  @Test func `a place that others may replace is not shown`() throws {
    let directory = "/tmp/nagaya-host-path-\(UInt32.random(in: 0 ... .max))"
    try Directory.make("\(directory)/inner", permissions: 0o755)
    defer { try? Directory.removeTree(directory) }
    #expect(throws: Never.self) { try HostPath.check("/usr/bin") }
    // Everybody may make names in /tmp.
    #expect(throws: HostPathFault.self) { try HostPath.check("\(directory)/inner") }
    #expect(throws: HostPathFault.self) { try HostPath.check("/no/such/place") }
    #expect(throws: HostPathFault.self) { try HostPath.check("/proc/self") }
  }
}
