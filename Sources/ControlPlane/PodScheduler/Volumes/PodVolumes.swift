import JSONDocument
import KubernetesAPI

/// The claims of a pod, sorted by what they need.
struct PodVolumes: Sendable {
  /// A claim without a volume, whose class waits for the first consumer.
  struct Unbound: Sendable {
    var claim: KubernetesObject
    var storageClass: KubernetesObject
    /// Volumes that exist already and that the claim may have, the best first.
    var candidates: [KubernetesObject] = []

    var selectedNode: String? { claim.annotations[ClaimAnnotations.selectedNode] }
    var demand: VolumeDemand.Claim {
      VolumeDemand.Claim(
        key: claim.key, pool: StoragePool.name(for: storageClass), bytes: PodVolumes.bytes(of: claim))
    }
  }

  /// Volumes of bound claims: their node affinity restricts the pod.
  var bound: [KubernetesObject] = []
  var unbound: [Unbound] = []

  /// Why the pod can't be placed at all now, whichever the node.
  struct Obstacle: Error, Equatable, CustomStringConvertible {
    let description: String
  }

  /// - Parameter existing: volumes that a claim may have (`ExistingVolume`); asked for only if it has none yet.
  init(
    of pod: KubernetesObject, claim find: (ObjectKey) -> KubernetesObject?,
    volume: (String) -> KubernetesObject?, storageClass: (String) -> KubernetesObject?,
    existing: (KubernetesObject) -> [KubernetesObject] = { _ in [] }
  ) throws(Obstacle) {
    for key in pod.claimKeys {
      guard let claim = find(key) else {
        throw Obstacle(description: "persistentvolumeclaim \"\(key.name)\" not found")
      }
      if claim.isBeingDeleted {
        throw Obstacle(description: "persistentvolumeclaim \"\(key.name)\" is being deleted")
      }
      if claim.status["phase"].string == "Lost" {
        throw Obstacle(description: "persistentvolumeclaim \"\(key.name)\" bound to non-existent persistentvolume")
      }
      if let name = claim.spec["volumeName"].string, !name.isEmpty {
        guard let volume = volume(name) else {
          throw Obstacle(description: "persistentvolume \"\(name)\" of claim \"\(key.name)\" not found")
        }
        guard claim.status["phase"].string == "Bound" else {
          throw Obstacle(description: "persistentvolumeclaim \"\(key.name)\" is being bound to \"\(name)\"")
        }
        guard VolumeBinding.isMutual(claim, volume) else {
          throw Obstacle(description: "persistentvolume \"\(name)\" is not bound to claim \"\(key.name)\"")
        }
        bound.append(volume)
        continue
      }
      guard let className = claim.spec["storageClassName"].string, !className.isEmpty,
        let storageClass = storageClass(className)
      else {
        throw Obstacle(
          description:
            "pod has unbound immediate PersistentVolumeClaims: \"\(key.name)\" has no storage class that exists")
      }
      guard storageClass["volumeBindingMode"].string == "WaitForFirstConsumer" else {
        throw Obstacle(description: "pod has unbound immediate PersistentVolumeClaims")
      }
      unbound.append(
        Unbound(
          claim: claim, storageClass: storageClass, candidates: existing(claim)))
    }
  }

  static func bytes(of claim: KubernetesObject) -> Int64 {
    max(0, claim.spec["resources"]["requests"]["storage"].string.flatMap { Quantity($0)?.value } ?? 0)
  }
}
