import JSONDocument
import KubernetesAPI

/// What the objects of a namespace use of each resource that a ResourceQuota may name
/// (Kubernetes documentation, "Resource Quotas").
enum QuotaUsage {
  /// - Returns: the use, in thousandths, of those resources that pods, claims and Services account for.
  static func of(
    pods: [KubernetesObject], claims: [KubernetesObject], services: [KubernetesObject]
  ) -> [String: Int128] {
    var used: [String: Int128] = [:]
    for pod in pods where !pod.isTerminatedPod {
      used["pods", default: 0] += 1000
      used["count/pods", default: 0] += 1000
      for side in ["requests", "limits"] {
        for (name, amount) in podResources(pod, side) {
          used["\(side).\(name)", default: 0] += amount
          // The bare names mean the requests.
          if side == "requests" { used[name, default: 0] += amount }
        }
      }
    }
    for claim in claims {
      let size = quantity(claim.spec["resources"]["requests"]["storage"])
      let storageClass = claim.spec["storageClassName"].string ?? ""
      used["persistentvolumeclaims", default: 0] += 1000
      used["count/persistentvolumeclaims", default: 0] += 1000
      used["requests.storage", default: 0] += size
      if !storageClass.isEmpty {
        used["\(storageClass).storageclass.storage.k8s.io/requests.storage", default: 0] += size
        used["\(storageClass).storageclass.storage.k8s.io/persistentvolumeclaims", default: 0] += 1000
      }
    }
    for service in services {
      used["services", default: 0] += 1000
      used["count/services", default: 0] += 1000
      let type = service.spec["type"].string
      if type == "NodePort" { used["services.nodeports", default: 0] += 1000 }
      if type == "LoadBalancer" { used["services.loadbalancers", default: 0] += 1000 }
    }
    return used
  }

  /// Kinds that are counted by listing them, as they have no cache: the quota's key and what to list.
  static let counted: [String: Resource] = [
    "configmaps": .configMaps, "count/configmaps": .configMaps, "secrets": .secrets, "count/secrets": .secrets,
    "resourcequotas": .resourceQuotas, "count/deployments.apps": .deployments,
    "count/replicasets.apps": .replicaSets, "count/serviceaccounts": .serviceAccounts,
    "count/applications.nagaya.dev": .applications,
  ]

  /// A pod asks for the sum of its containers, or for its largest init container if that is more.
  private static func podResources(_ pod: KubernetesObject, _ side: String) -> [String: Int128] {
    var sum: [String: Int128] = [:]
    for container in pod.spec["containers"].elements {
      for (name, value) in container["resources"][side].members { sum[name, default: 0] += quantity(value) }
    }
    for container in pod.spec["initContainers"].elements {
      let always = container["restartPolicy"].string == "Always"
      for (name, value) in container["resources"][side].members {
        if always { sum[name, default: 0] += quantity(value) } else { sum[name] = max(sum[name] ?? 0, quantity(value)) }
      }
    }
    return sum
  }

  static func quantity(_ value: JSONValue) -> Int128 {
    if let text = value.string { return Quantity(text)?.milli ?? 0 }
    return Int128(value.int ?? 0) * 1000
  }

  /// An amount as quotas write it: bytes in binary units, the rest as numbers.
  static func text(_ milli: Int128, of resource: String) -> String {
    let isBytes = ["memory", "storage"].contains { resource.hasSuffix($0) }
    let units = Int64(clamping: milli / 1000)
    return isBytes && milli % 1000 == 0 ? Quantity(bytes: units).description : Quantity(milli: Int64(clamping: milli)).description
  }
}
