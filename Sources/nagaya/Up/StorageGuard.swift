import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers

/// Holds each node's storage to what is its own: volumes that lie there, claims that were given to it, its own figures. Roles know
/// kinds and not contents; a node that was taken over must not reach what lies on others.
struct StorageGuard: WriteAdmitting {
  let objects: any ObjectReading

  func refusal(of write: WriteReview) -> APIStatus? {
    let prefix = "\(StorageAccess.node.name):"
    guard write.user.groups.contains(StorageAccess.node.name), write.user.name.hasPrefix(prefix),
      !write.user.groups.contains(UserInfo.mastersGroup)
    else { return nil }
    let node = String(write.user.name.dropFirst(prefix.count))
    let versions = [write.old, write.new].compactMap { $0 }
    let isOwn: Bool =
      switch write.resource {
      case .persistentVolumes: isOwnVolume(write, node)
      case .persistentVolumeClaims: isOwnClaim(write, node)
      case .volumeMoves: isOwnReport(write, node)
      case .volumeSnapshotContents: isOwnContent(write, node)
      case .csiNodes: versions.allSatisfy { $0.name == node }
      case .csiStorageCapacities:
        versions.allSatisfy { $0["nodeTopology"]["matchLabels"].strings == [StorageAccess.nodeLabel: node] }
      case .volumePools: versions.allSatisfy { $0.spec["nodeName"].string == node }
      case .events: versions.allSatisfy { $0["source"]["host"].string == node }
      default: false
      }
    guard !isOwn, let object = versions.first else { return nil }
    return .forbidden(
      write.resource, object.name, "the storage of node \"\(node)\" may change only what lies on it or was given to it")
  }

  /// It makes volumes of its own driver on its own node, says how large they are and what attributes they have, lets go of them and takes them away.
  private func isOwnVolume(_ write: WriteReview, _ node: String) -> Bool {
    guard [write.old, write.new].compactMap({ $0 }).allSatisfy({ liesOn(node, $0) }) else { return false }
    guard let old = write.old, let new = write.new else { return true }
    func rest(_ volume: KubernetesObject) -> JSONValue {
      var spec = volume.spec
      spec.remove("capacity")
      spec.remove("volumeAttributesClassName")
      return spec
    }
    return rest(old) == rest(new) && old.labels == new.labels && old.status == new.status
  }

  /// It says what became of the snapshots that it is to take, and lets go of them.
  private func isOwnContent(_ write: WriteReview, _ node: String) -> Bool {
    guard let old = write.old, old.labels[SnapshotBinding.nodeLabel] == node,
      old.spec["driver"].string == StorageAccess.driverName
    else { return false }
    // One that is being deleted goes with its last finalizer.
    guard let new = write.new else { return old.isBeingDeleted }
    func rest(_ content: KubernetesObject) -> [String] {
      content.finalizers.filter { $0 != SnapshotBinding.contentFinalizer }
    }
    return old.labels == new.labels && old.spec == new.spec && old.annotations == new.annotations
      && old.ownerReferences == new.ownerReferences && rest(old) == rest(new)
  }

  /// It says how far it is with the moves from it and to it, each with its own part of the status.
  private func isOwnReport(_ write: WriteReview, _ node: String) -> Bool {
    guard let old = write.old, let new = write.new, old.spec == new.spec, old.labels == new.labels,
      old.annotations == new.annotations, old.finalizers == new.finalizers, old.ownerReferences == new.ownerReferences
    else { return false }
    func rest(_ status: JSONValue) -> JSONValue {
      var status = status
      if old.status["sourceNode"].string == node { status.remove("source") }
      if old.spec["targetNode"].string == node { status.remove("target") }
      return status
    }
    return rest(old.status) == rest(new.status)
  }

  private func liesOn(_ node: String, _ volume: KubernetesObject) -> Bool {
    let expressions = volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"]
    return volume.labels[StorageAccess.nodeLabel] == node
      && volume.spec["csi"]["driver"].string == StorageAccess.driverName
      && volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"].elements.count == 1
      && expressions == [["key": .string(StorageAccess.nodeLabel), "operator": "In", "values": [.string(node)]]]
  }

  /// It holds claims that were given to it, lets go of them and gives them back; and says how much is there of claims whose
  /// volumes lie on it.
  private func isOwnClaim(_ write: WriteReview, _ node: String) -> Bool {
    guard let old = write.old, let new = write.new else { return false }
    func bare(_ claim: KubernetesObject) -> KubernetesObject {
      var claim = claim
      claim.finalizers.removeAll { $0 == StorageAccess.makingFinalizer }
      for name in [StorageAccess.selectedNode, StorageAccess.makingNode] { claim.annotations[name] = nil }
      for name in ["capacity", "conditions", "currentVolumeAttributesClassName", "modifyVolumeStatus"] {
        claim.status.remove(name)
      }
      return claim
    }
    let (before, after) = (bare(old), bare(new))
    guard before.spec == after.spec, before.status == after.status, before.labels == after.labels,
      before.annotations == after.annotations, before.finalizers == after.finalizers,
      before.ownerReferences == after.ownerReferences
    else { return false }
    if old.status != new.status {
      let name = old.spec["volumeName"].string ?? ""
      guard let volume = objects.object(of: .persistentVolumes, namespace: "", name: name), liesOn(node, volume) else {
        return false
      }
    }
    let (given, held) = (old.annotations[StorageAccess.selectedNode], old.annotations[StorageAccess.makingNode])
    let changesHold =
      old.finalizers != new.finalizers || given != new.annotations[StorageAccess.selectedNode]
      || held != new.annotations[StorageAccess.makingNode]
    guard changesHold else { return true }
    // Nobody gives a claim to a node but the scheduler, and no node takes what another one holds.
    let selected = new.annotations[StorageAccess.selectedNode]
    let maker = new.annotations[StorageAccess.makingNode]
    return (given == node || held == node) && (selected == given || selected == nil && given == node)
      && (maker == held || maker == nil && held == node || maker == node && held == nil && given == node)
  }
}
