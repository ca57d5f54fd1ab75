import KubernetesAPI
public import NRI

/// The hooks that every node has: what policies say, and what pods ask for by annotations.
public struct StandardHooks: Sendable {
  public static let injectionPrefix = "inject.nagaya.dev"

  private let source: PolicySource
  private let kernel: KernelLimits
  private let failure: FailPolicy
  /// Whether policies that only say what would be are heard.
  private let withAudit: Bool

  /// - Parameter failure: where no policy says `onError`.
  public init(
    _ source: PolicySource, kernel: KernelLimits = .current, failure: FailPolicy = .fail, withAudit: Bool = false
  ) {
    self.source = source
    self.kernel = kernel
    self.failure = failure
    self.withAudit = withAudit
  }

  /// The annotations that are read of a container's pod: authors keep kilobytes of others there.
  static func annotations(_ annotations: [String: String], of container: String) -> [String: String] {
    annotations.filter { key, _ in
      (UlimitAnnotation.prefixes + [injectionPrefix]).contains { key == "\($0)/container.\(container)" }
    }
  }

  /// In the order in which they are asked.
  public var hooks: [Hook] {
    [
      Hook("policies", failure: .fail, policies), Hook("ulimits", failure: failure(of:_:), ulimits),
      Hook("injection", failure: failure(of:_:), injection),
    ]
  }

  // MARK: The hooks

  /// Defaults and bounds. Nothing of a pod can make this fail, so a failure is the administrator's to mend.
  func policies(_ pod: NRIPodSandbox, _ container: NRIContainer) throws -> Adjustment {
    var adjustment = Adjustment()
    let names = Set(container.env.map { $0.prefix { $0 != "=" } }.map(String.init))
    let destinations = Set(container.mounts.map(\.destination))
    let policies = try matching(pod, container)
    for policy in policies {
      let reason = "by policy \(policy.name)"
      for ulimit in policy.ulimits {
        guard let kind = Rlimit.Kind(ulimit.type) else { continue }
        if let most = ulimit.most { adjustment.bound(.rlimit(kind, most: most), because: reason) }
        if let soft = ulimit.soft, let hard = ulimit.hard {
          try adjustment.set(.rlimit(Rlimit(kind, soft: soft, hard: hard)), .byDefault, because: reason)
        }
      }
      if let most = policy.memoryMost { adjustment.bound(.memory(most: most), because: reason) }
      if let most = policy.cpuMostMilli { adjustment.bound(.cpu(mostMilli: most), because: reason) }
      if let most = policy.pidsMost { adjustment.bound(.pids(most: most), because: reason) }
      if let least = policy.oomScoreLeast { adjustment.bound(.oomScore(least: least), because: reason) }
      if let pids = policy.pids { try adjustment.set(.pids(pids), .byDefault, because: reason) }
      if let score = policy.oomScore { try adjustment.set(.oomScore(score), .byDefault, because: reason) }
      for variable in policy.environment where variable.injection == .always && !names.contains(variable.name) {
        try adjustment.set(.environment(variable.name, variable.value), .byDefault, because: reason)
      }
      for mount in policy.mounts where mount.injection == .always && !destinations.contains(mount.mountPath) {
        try adjustment.set(.mount(try checked(mount, policy)), .byDefault, because: reason)
      }
    }
    try limitDevices(of: container, policies, &adjustment)
    return adjustment
  }

  /// How fast the devices below volumes are used.
  private func limitDevices(of container: NRIContainer, _ policies: [NodePolicy], _ adjustment: inout Adjustment) throws
  {
    let limiting = policies.filter { !$0.volumeLimits.isEmpty }
    let classes = source.volumeClasses
    guard !limiting.isEmpty || !classes.sayNothing && VolumeDevices.mayHaveVolumes(container) else { return }
    // A runtime refuses the whole container where it can't be done.
    guard kernel.limitsDevices else {
      if !limiting.isEmpty {
        let names = limiting.map(\.name).joined(separator: ", ")
        adjustment.remark("limits of volumes' devices need cgroup v2 and are left out, policies \(names)")
      } else {
        adjustment.remark("limits of volumes' devices need cgroup v2; those of volumes' classes are left out")
      }
      return
    }
    guard VolumeDevices.mayHaveVolumes(container) else { return }
    let mounts = MountedDevices()
    let limits = DeviceLimits(
      VolumeDevices.of(container, in: mounts) { classes.volume($0) != nil },
      rules: limiting.flatMap { policy in policy.volumeLimits.map { (policy.name, $0) } },
      storageClass: { classes.volume($0)?.storageClass }, classLimits: classes.limits(of:))
    for path in VolumeDevices.unseen(
      container, in: mounts, isLimited: { !limiting.isEmpty || classes.limits(of: $0) != nil }
    )
    .prefix(8) {
      adjustment.remark("the volume at \(path.prefix(256)) can't be seen from here: how fast it is used is not limited")
    }
    guard !limits.lines.isEmpty else { return }
    try adjustment.set(
      .unified(VolumeDevices.file, limits.lines.joined(separator: "\n")), .byDefault,
      because: "by \(limits.sources.joined(separator: ", "))")
  }

  /// Limits of processes by annotation.
  func ulimits(_ pod: NRIPodSandbox, _ container: NRIContainer) throws -> Adjustment {
    var adjustment = Adjustment()
    guard let annotation = try UlimitAnnotation(container: container.name, in: pod.annotations) else {
      return adjustment
    }
    for item in annotation.items {
      if item.limit.kind == .openFiles, let most = kernel.openFiles, item.limit.hard > most {
        throw UlimitAnnotation.Fault(
          key: annotation.key, line: item.line,
          reason:
            "\(Rlimit.text(item.limit.hard)) open files are more than this machine's kernel gives: fs.nr_open is \(most)"
        )
      }
      let missing = item.missing.map { ", \($0) is left out and therefore 0" }.joined()
      try adjustment.set(
        .rlimit(item.limit), because: "by annotation \(annotation.key), line \(item.line)\(missing)")
    }
    return adjustment
  }

  /// What policies offer and a pod's annotation asks for, by name: environment variables and mounts.
  func injection(_ pod: NRIPodSandbox, _ container: NRIContainer) throws -> Adjustment {
    var adjustment = Adjustment()
    let key = "\(Self.injectionPrefix)/container.\(container.name)"
    guard let text = pod.annotations[key], !text.isEmpty else { return adjustment }
    guard text.utf8.count <= 4096 else {
      throw UlimitAnnotation.Fault(key: key, line: nil, reason: "has more than 4096 bytes")
    }
    let asked = text.split { $0 == "," || $0.isWhitespace }.map(String.init)
    let policies = try matching(pod, container)
    for name in asked {
      let reason = "asked for by annotation \(key), offered"
      if let (policy, mount) = policies.firstOffer(\.mounts, where: { $0.name == name }) {
        try adjustment.set(.mount(try checked(mount, policy)), because: "\(reason) by policy \(policy.name)")
      } else if let (policy, variable) = policies.firstOffer(\.environment, where: { $0.name == name }) {
        let change = Adjustment.Change.environment(variable.name, variable.value)
        try adjustment.set(change, because: "\(reason) by policy \(policy.name)")
      } else {
        throw UlimitAnnotation.Fault(
          key: key, line: nil, reason: "no policy offers \(name.prefix(64)) to this container")
      }
    }
    return adjustment
  }

  // MARK: Steps

  /// - Throws: if it is not known yet what holds for the pod's namespace.
  func matching(_ pod: NRIPodSandbox, _ container: NRIContainer) throws -> [NodePolicy] {
    let set = source.policies
    var tenant: String?
    if set.namesTenants {
      switch source.owner(of: pod.namespace) {
      case .tenant(let name): tenant = name
      case .nobody: break
      case .unknown:
        throw HookRefusal(
          hook: "policies", reason: "it is not known yet whose the namespace \(pod.namespace) is; try again")
      }
    }
    return set.matching(
      namespace: pod.namespace, tenant: tenant, labels: pod.labels, container: container.name
    ).filter { withAudit || !$0.isAudit }
  }

  private func failure(of pod: NRIPodSandbox, _ container: NRIContainer) -> FailPolicy {
    guard let policies = try? matching(pod, container) else { return .fail }
    return policies.lazy.compactMap(\.failsContainer).first.map { $0 ? .fail : .ignore } ?? failure
  }

  private func checked(_ mount: NodePolicy.HostMount, _ policy: NodePolicy) throws -> InjectedMount {
    do throws(HostPathFault) { try HostPath.check(mount.hostPath) } catch {
      throw HookRefusal(hook: "policies", reason: "mount \(mount.name) of policy \(policy.name): \(error)")
    }
    return InjectedMount(destination: mount.mountPath, source: mount.hostPath, isReadOnly: mount.isReadOnly)
  }
}

extension [NodePolicy] {
  /// The first policy that offers what is wanted.
  fileprivate func firstOffer<Item>(_ items: (NodePolicy) -> [Item], where isWanted: (Item) -> Bool) -> (
    NodePolicy, Item
  )? {
    for policy in self { if let item = items(policy).first(where: isWanted) { return (policy, item) } }
    return nil
  }
}
