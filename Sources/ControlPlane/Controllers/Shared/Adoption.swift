import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Which objects belong to a controller: those it owns, those it should take, those it should let go
/// (Kubernetes documentation, "Owners and Dependents", and the controllerRef proposal).
struct Adoption {
  /// Owned already, and matched by the selector.
  var owned: [KubernetesObject] = []
  /// Matched, and owned by nobody.
  var orphans: [KubernetesObject] = []
  /// Owned, but no longer matched.
  var released: [KubernetesObject] = []

  init(of candidates: [KubernetesObject], by owner: KubernetesObject, selector: LabelSelector) {
    for candidate in candidates {
      let matches = !selector.isEmpty && selector.matches(candidate.labels)
      if let controller = candidate.controller {
        guard controller.uid == owner.uid else { continue }
        if matches || owner.isBeingDeleted { owned.append(candidate) } else { released.append(candidate) }
      } else if matches, !candidate.isBeingDeleted, !owner.isBeingDeleted {
        orphans.append(candidate)
      }
    }
  }
}

extension KubernetesClient {
  /// Makes `owner` the controller of an object that has none. The resourceVersion guards against a rival.
  func adopt(_ orphan: KubernetesObject, as resource: Resource, by owner: KubernetesObject) async throws
    -> KubernetesObject
  {
    var changed = orphan
    changed.ownerReferences = orphan.ownerReferences + [OwnerReference(to: owner)]
    return try await update(changed, as: resource)
  }

  /// Gives up the control of an object that the selector no longer matches.
  func release(_ object: KubernetesObject, as resource: Resource, by owner: KubernetesObject) async throws {
    var changed = object
    let kept = object.ownerReferences.filter { $0.uid != owner.uid }
    if kept.isEmpty { changed.metadata.remove("ownerReferences") } else { changed.ownerReferences = kept }
    try await update(changed, as: resource)
  }
}
