import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging

/// Keeps the phase of one volume, and takes it away when its claim is gone and its policy says so.
struct VolumeReconciler: Sendable {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  let caches: StorageCaches
  let events: EventRecorder
  let capacityChanged: @Sendable () -> Void

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let volume = caches.volumes.get(key) else { return .done }
    let claim = try await claim(of: volume)
    let isOurs = volume.spec["csi"]["driver"].string == driverName
    if let claimKey = volume.claimKey, volume.spec["claimRef"]["uid"].string != nil, claim == nil {
      let policy = volume.spec["persistentVolumeReclaimPolicy"].string ?? "Retain"
      if policy == "Delete", isOurs { return try await reclaim(volume) }
      try await setPhase("Released", of: volume, message: "claim \(claimKey) is gone; the data is kept")
      if volume.isBeingDeleted { try await letGo(volume) }
      return .done
    }
    if volume.isBeingDeleted, claim == nil {
      if isOurs, volume.spec["persistentVolumeReclaimPolicy"].string == "Delete" { return try await reclaim(volume) }
      try await letGo(volume)
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

  private func reclaim(_ volume: KubernetesObject) async throws -> ReconcileResult {
    guard let handle = volume.spec["csi"]["volumeHandle"].string else { return .done }
    do throws(VolumeDriver.Refusal) { try await driver.delete(handle) } catch {
      try await setPhase("Released", of: volume, message: "cannot delete the volume yet: \(error)")
      if error.kind == .invalid {
        events.record(.warning, about: volume, reason: "VolumeFailedDelete", message: "\(error)")
      }
      return .requeueAfter(.milliseconds(500))
    }
    capacityChanged()
    try await letGo(volume)
    do { try await client.delete(.persistentVolumes, name: volume.name, uid: volume.uid) } catch let status as APIStatus
      where status.isNotFound
    {}
    return .done
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
