import KubernetesAPI
import KubernetesClient

/// What the storage controllers know without asking.
struct StorageCaches: Sendable {
  let claims: ObjectCache
  let volumes: ObjectCache
  let classes: ObjectCache
  let pods: ObjectCache
  /// The node that the driver serves.
  let node: VolumeDriver.Node

  /// Pods by the claims that they name.
  static let byClaim = CacheIndex("claim") { pod in
    pod.spec["volumes"].elements.compactMap { $0["persistentVolumeClaim"]["claimName"].string }
      .map { "\(pod.namespace)/\($0)" }
  }
}
