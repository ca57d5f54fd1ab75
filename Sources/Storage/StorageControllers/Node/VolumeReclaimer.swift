import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Deletes volumes of this node that nobody claims any more, where their policy says so.
struct VolumeReclaimer: Sendable {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  let caches: NodeStorageCaches
  let events: EventRecorder
  let capacityChanged: @Sendable () -> Void

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let volume = caches.volumes.get(key), volume.spec["csi"]["driver"].string == driverName,
      let handle = volume.spec["csi"]["volumeHandle"].string, isToGo(volume), isHere(volume)
    else { return .done }
    // Who says so is asked once more: a volume that is deleted does not come back.
    if let claim = volume.claimKey {
      let present = try await client.getIfPresent(
        .persistentVolumeClaims, namespace: claim.namespace, name: claim.name)
      let uid = volume.spec["claimRef"]["uid"].string
      if let present, uid == nil || present.uid == uid { return .done }
    }
    do throws(VolumeDriver.Refusal) { try await driver.delete(handle) } catch {
      if error.kind == .invalid {
        events.record(.warning, about: volume, reason: "VolumeFailedDelete", message: "\(error)")
      }
      return .requeueAfter(.milliseconds(500))
    }
    capacityChanged()
    let current = try await letGo(volume)
    guard let current else { return .done }
    do { try await client.delete(.persistentVolumes, name: current.name, uid: current.uid) } catch let status
      as APIStatus where status.isNotFound
    {}
    return .done
  }

  /// Its phase is what the cluster says; a volume that was never claimed has none that tells.
  private func isToGo(_ volume: KubernetesObject) -> Bool {
    guard volume.spec["persistentVolumeReclaimPolicy"].string == "Delete" else { return false }
    return volume.phase == "Released" || volume.isBeingDeleted && volume.claimKey == nil
  }

  /// By its affinity, which cannot be changed; labels can.
  private func isHere(_ volume: KubernetesObject) -> Bool {
    let terms = volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"].elements
    return terms.count == 1
      && caches.node.topology.allSatisfy { key, value in
        terms[0]["matchExpressions"].elements.contains {
          $0["key"].string == key && $0["operator"].string == "In" && $0["values"] == [.string(value)]
        }
      }
  }

  /// - Returns: the volume as it is now; `nil` if it is gone.
  private func letGo(_ volume: KubernetesObject) async throws -> KubernetesObject? {
    let ours = [StorageNames.volumeProtection, StorageNames.provisionerFinalizer]
    guard volume.finalizers.contains(where: ours.contains) else { return volume }
    var changed = volume
    changed.finalizers.removeAll { ours.contains($0) }
    do { return try await client.update(changed, as: .persistentVolumes) } catch let status as APIStatus
      where status.isNotFound
    { return nil }
  }
}
