import KubernetesAPI
import KubernetesClient

/// What the storage controllers of the cluster know without asking.
struct StorageCaches: Sendable {
  /// With `CacheIndex.sources`.
  let claims: ObjectCache
  /// With `ExistingVolume.index`.
  let volumes: ObjectCache
  let classes: ObjectCache
  /// With `CacheIndex.claims`.
  let pods: ObjectCache
  let capacities: ObjectCache
  /// With `CacheIndex.snapshotClaims`.
  let snapshots: ObjectCache
  let snapshotContents: ObjectCache
  let snapshotClasses: ObjectCache
}

extension CacheIndex {
  /// Claims by what their volumes are to begin with: `snapshot:namespace/name`, `claim:namespace/name`.
  static let sources = CacheIndex("sources") { claim in
    guard let source = try? ClaimWishes.source(of: claim) else { return [] }
    return [key(of: source, in: claim.namespace)]
  }

  static func key(of source: ClaimWishes.Source, in namespace: String) -> String {
    switch source {
    case .snapshot(let name): "snapshot:\(namespace)/\(name)"
    case .claim(let name): "claim:\(namespace)/\(name)"
    }
  }

  /// Snapshots by the key of the claim whose volume they are of.
  static let snapshotClaims = CacheIndex("snapshotClaims") { snapshot in
    snapshot.spec["source"]["persistentVolumeClaimName"].string.map { ["\(snapshot.namespace)/\($0)"] } ?? []
  }
}
