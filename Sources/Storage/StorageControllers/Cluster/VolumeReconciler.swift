import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging

/// Keeps the phase of one volume. One that nobody claims any more is released; where its policy says so, its node then
/// deletes it (`VolumeReclaimer`).
struct VolumeReconciler: Sendable {
  let driverName: String
  let client: KubernetesClient
  let caches: StorageCaches

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let found = caches.volumes.get(key) else { return .done }
    let isOurs = found.spec["csi"]["driver"].string == driverName
    let volume = isOurs ? try await labelled(found) : found
    let claim = try await claim(of: volume)
    let isDeletedByItsNode = isOurs && volume.spec["persistentVolumeReclaimPolicy"].string == "Delete"
    if let claimKey = volume.claimKey, volume.spec["claimRef"]["uid"].string != nil, claim == nil {
      let end = isDeletedByItsNode ? "its node deletes it" : "the data is kept"
      try await setPhase("Released", of: volume, message: "claim \(claimKey) is gone; \(end)")
      if volume.isBeingDeleted, !isDeletedByItsNode { try await letGo(volume) }
      return .done
    }
    if volume.isBeingDeleted, claim == nil {
      if !isDeletedByItsNode { try await letGo(volume) }
      return .done
    }
    let isBound = claim.map { VolumeBinding.isMutual($0, volume) } ?? false
    try await setPhase(isBound ? "Bound" : "Available", of: volume)
    return .done
  }

  /// The claim that the volume is for, if it still is that claim. The cache may lag behind, so its absence is checked.
  private func claim(of volume: KubernetesObject) async throws -> KubernetesObject? {
    guard let key = volume.claimKey else { return nil }
    var claim = caches.claims.get(key)
    let uid = volume.spec["claimRef"]["uid"].string
    if claim == nil || (uid != nil && claim?.uid != uid) {
      claim = try await client.getIfPresent(.persistentVolumeClaims, namespace: key.namespace, name: key.name)
    }
    guard let claim, uid == nil || claim.uid == uid else { return nil }
    return claim
  }

  /// Volumes carry the labels of where they lie: by those a node finds its own. Volumes of earlier releases have none.
  private func labelled(_ volume: KubernetesObject) async throws -> KubernetesObject {
    let terms = volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"].elements
    guard terms.count == 1 else { return volume }
    var labels: [String: String] = [:]
    for expression in terms[0]["matchExpressions"].elements {
      guard let key = expression["key"].string, expression["operator"].string == "In",
        expression["values"].elements.count == 1, let value = expression["values"][0].string
      else { return volume }
      labels[key] = value
    }
    guard labels.contains(where: { volume.labels[$0.key] != $0.value }) else { return volume }
    return try await client.patch(.persistentVolumes, name: volume.name, ["metadata": ["labels": .strings(labels)]])
  }

  private func letGo(_ volume: KubernetesObject) async throws {
    let ours = [StorageNames.volumeProtection, StorageNames.provisionerFinalizer]
    guard volume.finalizers.contains(where: ours.contains) else { return }
    var changed = volume
    changed.finalizers.removeAll { ours.contains($0) }
    do { try await client.update(changed, as: .persistentVolumes) } catch let status as APIStatus
      where status.isNotFound
    {}
  }

  private func setPhase(_ phase: String, of volume: KubernetesObject, message: String? = nil) async throws {
    var changed = volume
    changed.status["phase"] = .string(phase)
    if let message { changed.status["message"] = .string(message) } else { changed.status.remove("message") }
    try await client.applyStatus(changed, as: .persistentVolumes, existing: volume)
  }
}
