import KubernetesAPI
import KubernetesClient

/// What the storage controllers of the cluster know without asking.
struct StorageCaches: Sendable {
  let claims: ObjectCache
  /// With `ExistingVolume.index`.
  let volumes: ObjectCache
  let classes: ObjectCache
  /// With `CacheIndex.claims`.
  let pods: ObjectCache
  let capacities: ObjectCache
}
