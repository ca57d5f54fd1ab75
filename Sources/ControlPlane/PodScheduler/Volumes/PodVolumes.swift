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
    /// The node that has what its volume is made from; `nil`: it begins empty, or nobody says.
    var sourceNode: String? {
      guard (try? ClaimWishes.source(of: claim)) != nil else { return nil }
      return claim.annotations[ClaimWishes.sourceNode]
    }

    /// Nobody makes a volume as the claim wants it: only one that exists can serve it.
    var isProvidedByHandOnly: Bool {
      storageClass["provisioner"].string == ExistingVolume.noProvisioner
        || (try? ClaimWishes.check(claim, of: storageClass)) == nil
    }

    var selectedNode: String? { claim.annotations[ClaimAnnotations.selectedNode] }
    var demand: VolumeDemand.Claim {
      VolumeDemand.Claim(
        key: claim.key, pool: StoragePool.name(for: storageClass), bytes: PodVolumes.bytes(of: claim))
    }
  }

  /// Volumes of bound claims: their node affinity restricts the pod.
  var bound: [KubernetesObject] = []
  var unbound: [Unbound] = []

  private init() {}
  static let none = PodVolumes()

  /// Why the pod can't be placed at all now, whichever the node.
  struct Obstacle: Error, Equatable, CustomStringConvertible {
    let description: String
  }

  /// - Parameters:
  ///   - existing: volumes that a claim may have (`ExistingVolume`); asked for only if it has none yet.
  ///   - waitsForSources: a claim that is made from something waits until somebody has said which node has that.
  init(
    of pod: KubernetesObject, claim find: (ObjectKey) -> KubernetesObject?,
    volume: (String) -> KubernetesObject?, storageClass: (String) -> KubernetesObject?,
    existing: (KubernetesObject) -> [KubernetesObject] = { _ in [] }, waitsForSources: Bool = false
  ) throws(Obstacle) {
    let ephemeral = pod.ephemeralClaimNames
    for key in pod.claimKeys {
      guard let claim = find(key) else {
        throw Obstacle(
          description: ephemeral.contains(key.name)
            ? "waiting for ephemeral volume controller to create the persistentvolumeclaim \"\(key.name)\""
            : "persistentvolumeclaim \"\(key.name)\" not found")
      }
      // Somebody else's claim of that name is not the pod's volume.
      if ephemeral.contains(key.name), !pod.owns(ephemeralClaim: claim) {
        throw Obstacle(
          description:
            "persistentvolumeclaim \"\(key.name)\" was not created for pod \"\(pod.name)\" (pod is not owner)")
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
        if let node = volume.annotations[VolumeMove.switching] {
          throw Obstacle(description: "persistentvolume \"\(name)\" of claim \"\(key.name)\" moves to node \"\(node)\"")
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
      let candidates = existing(claim)
      if candidates.isEmpty {
        do throws(ClaimWishes.Obstacle) { try ClaimWishes.check(claim, of: storageClass) } catch {
          throw Obstacle(description: "persistentvolumeclaim \"\(key.name)\" can't have a volume: \(error)")
        }
      }
      let item = Unbound(claim: claim, storageClass: storageClass, candidates: candidates)
      if waitsForSources, candidates.isEmpty, storageClass["provisioner"].string == VolumeParameters.driver,
        let source = try? ClaimWishes.source(of: claim), item.sourceNode == nil
      {
        throw Obstacle(
          description:
            "persistentvolumeclaim \"\(key.name)\" waits for \(source), from which it is made; see its events")
      }
      unbound.append(item)
    }
  }

  static func bytes(of claim: KubernetesObject) -> Int64 {
    max(0, claim.spec["resources"]["requests"]["storage"].string.flatMap { Quantity($0)?.value } ?? 0)
  }
}
