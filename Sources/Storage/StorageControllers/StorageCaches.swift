import KubernetesAPI
import KubernetesClient

/// What the storage controllers of the cluster know without asking.
struct StorageCaches: Sendable {
  let claims: ObjectCache
  let volumes: ObjectCache
  let classes: ObjectCache
  let pods: ObjectCache
  let capacities: ObjectCache

  /// Pods by the claims that they name.
  static let byClaim = CacheIndex("claim") { pod in
    pod.spec["volumes"].elements.compactMap { $0["persistentVolumeClaim"]["claimName"].string }
      .map { "\(pod.namespace)/\($0)" }
  }
}
