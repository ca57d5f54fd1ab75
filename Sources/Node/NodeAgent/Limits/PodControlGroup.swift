import JSONDocument
import KubernetesAPI
import LinuxSystem

/// The control group that holds all containers of a pod: what they take together is limited, not each alone.
struct PodControlGroup: Sendable {
  let pod: KubernetesObject
  let node: NodeFacts

  /// Of all pods of the node.
  static func all(_ limits: NodeLimits) -> ControlGroup { ControlGroup(path: "\(limits.controlGroup)/pods") }

  /// Of the pod with that uid.
  static func of(_ uid: String, _ limits: NodeLimits) -> ControlGroup {
    ControlGroup(path: "\(all(limits).path)/\(uid)")
  }

  var group: ControlGroup { Self.of(pod.uid, node.limits) }

  /// Of one of its containers, where the runtime makes it.
  func container(_ id: String) -> ControlGroup { ControlGroup(path: "\(group.path)/\(id)") }

  /// Makes the group with the pod's limits; may be repeated.
  func make() throws(SystemError) {
    let group = group
    if let place = group.directory("pids"), FileStatus.exists(place) { return }
    try group.make()
    try group.limit(processes: node.limits.podProcesses)
    let cpu = Int64(clamping: PodResources.total(.requests, of: pod.spec)["cpu"] ?? 0)
    try group.share(processors: ContainerResources.shares(milli: cpu))
    if let memory = Self.memoryLimit(of: pod) { try group.limit(memoryBytes: memory) }
  }

  /// What the pod may have of the node's memory: the sum of its containers' limits, if each has one. Holds what a
  /// container leaves behind in memory-backed volumes too.
  static func memoryLimit(of pod: KubernetesObject) -> Int64? {
    if pod.spec["resources"]["limits"]["memory"].isNull {
      let isOpen = (pod.containers + pod.initContainers).contains { container in
        (PodResources.amounts(.limits, of: container)["memory"] ?? 0) <= 0
      }
      if isOpen { return nil }
    }
    guard let limit = PodResources.total(.limits, of: pod.spec)["memory"], limit > 0 else { return nil }
    return Int64(clamping: (limit + 999) / 1000)
  }

  /// Sets all pods of a node apart from the platform: together they get what the machine has but for a reserve, so that a
  /// machine full of pods runs out of memory among the pods.
  static func prepareNode(_ limits: NodeLimits, memoryBytes: Int64) throws(SystemError) {
    let group = all(limits)
    try group.make()
    guard memoryBytes > 0 else { return }
    try group.limit(memoryBytes: memoryBytes - reservedMemory(of: memoryBytes))
  }

  /// A tenth of the machine, between a quarter and 2 GiB: the platform, containerd, shims and the system.
  static func reservedMemory(of memoryBytes: Int64) -> Int64 {
    min(max(memoryBytes / 10, 256 << 20), 2 << 30, memoryBytes / 2)
  }
}
