import JSONDocument
import KubernetesAPI

/// What an object takes from its namespace's quota (`ResourceQuota.spec.hard` names), in thousandths of each unit.
struct ResourceUsage: Sendable, Hashable {
  var amounts: [String: Int128] = [:]
  /// By quota name: containers of a new pod that do not say what they take.
  var unspecified: [String: [String]] = [:]

  init() {}

  init(of object: KubernetesObject, _ resource: Resource) {
    let one: Int128 = 1000
    amounts["count/\(resource.qualifiedPlural)"] = one
    switch resource {
    case .pods: addPod(object)
    case .persistentVolumeClaims: addClaim(object)
    default: if resource.group.isEmpty { amounts[resource.plural] = one }
    }
  }

  private mutating func addPod(_ pod: KubernetesObject) {
    // A pod that has ended takes nothing but its place in the store.
    if let phase = pod.status["phase"].string, phase == "Succeeded" || phase == "Failed" { return }
    amounts["pods"] = 1000
    for (section, prefix) in [(PodResources.Section.requests, "requests."), (.limits, "limits.")] {
      let total = PodResources.total(section, of: pod.spec)
      for (name, amount) in total where amount > 0 && (section == .requests || Self.isCountedLimit(name)) {
        amounts[prefix + name] = amount
        if section == .requests, Self.isCountedLimit(name) || name.hasPrefix("hugepages-") { amounts[name] = amount }
      }
      // What the pod says for itself stands for its containers.
      let own = PodResources.amounts(section, of: pod.spec)
      for name in Self.counted where (own[name] ?? 0) == 0 {
        let silent = (pod.spec["containers"].elements + pod.spec["initContainers"].elements)
          .filter { container in
            let amount = PodResources.amounts(section, of: container)[name]
            // To the kernel a limit of zero is none.
            return amount == nil || (section == .limits && amount == 0)
          }
        guard !silent.isEmpty else { continue }
        let names = silent.map { $0["name"].string ?? "" }
        unspecified[prefix + name] = names
        if section == .requests { unspecified[name] = names }
      }
    }
  }

  /// Resources whose limits a quota counts; of others (huge pages, devices) only requests, which equal their limits.
  private static let counted = ["cpu", "memory", "ephemeral-storage"]
  private static func isCountedLimit(_ name: String) -> Bool { counted.contains(name) }

  private mutating func addClaim(_ claim: KubernetesObject) {
    let size = PodResources.milli(claim.spec["resources"]["requests"]["storage"]) ?? 0
    amounts["persistentvolumeclaims"] = 1000
    amounts["requests.storage"] = size
    if let storageClass = claim.spec["storageClassName"].string, !storageClass.isEmpty {
      amounts["\(storageClass).storageclass.storage.k8s.io/persistentvolumeclaims"] = 1000
      amounts["\(storageClass).storageclass.storage.k8s.io/requests.storage"] = size
    }
  }

  /// As quotas print it: memory and storage in binary units, the rest in units or thousandths.
  static func text(_ milli: Int128, of name: String) -> String {
    if name.hasSuffix("memory") || name.hasSuffix("storage") {
      return Quantity(bytes: Int64(clamping: (milli + 999) / 1000)).description
    }
    return Quantity(milli: Int64(clamping: milli)).description
  }
}

/// What a write adds to its namespace's account; removals and shrinking take away.
struct UsageChange: Sendable, Hashable {
  let namespace: String
  let delta: [String: Int128]
  /// Only of new objects.
  let unspecified: [String: [String]]
}

/// What earlier writes of the batch being committed have reserved.
struct BatchAccount: Sendable {
  var reserved: [String: [String: Int128]] = [:]
}
