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
    for (section, prefix) in [("requests", "requests."), ("limits", "limits.")] {
      for name in ["cpu", "memory", "ephemeral-storage"] {
        let amount = Self.amount(of: pod, section, name)
        if amount > 0 {
          amounts[prefix + name] = amount
          if section == "requests" { amounts[name] = amount }
        }
        let silent = pod.spec["containers"].elements.filter { Self.quantity($0, section, name) == nil }
        if !silent.isEmpty {
          let names = silent.map { $0["name"].string ?? "" }
          unspecified[prefix + name] = names
          if section == "requests" { unspecified[name] = names }
        }
      }
    }
  }

  /// Containers run together, init containers one after another before them (kubernetes.io "Resource sharing").
  private static func amount(of pod: KubernetesObject, _ section: String, _ name: String) -> Int128 {
    let containers = pod.spec["containers"].elements.reduce(Int128(0)) { $0 + (quantity($1, section, name) ?? 0) }
    let initial = pod.spec["initContainers"].elements.map { quantity($0, section, name) ?? 0 }.max() ?? 0
    let overhead = milli(pod.spec["overhead"][name]) ?? 0
    return max(containers, initial) + overhead
  }

  /// Requests that are not given are what the limits are.
  private static func quantity(_ container: JSONValue, _ section: String, _ name: String) -> Int128? {
    let value = milli(container["resources"][section][name])
    return value ?? (section == "requests" ? milli(container["resources"]["limits"][name]) : nil)
  }

  private static func milli(_ value: JSONValue) -> Int128? {
    if let text = value.string { return Quantity(text)?.milli }
    return value.int.map { Int128($0) * 1000 }
  }

  private mutating func addClaim(_ claim: KubernetesObject) {
    let size = Self.milli(claim.spec["resources"]["requests"]["storage"]) ?? 0
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
