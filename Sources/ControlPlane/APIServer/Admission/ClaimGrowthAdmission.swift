import JSONDocument
import KubernetesAPI

/// Lets a claim grow only where its class says that its volumes may (`allowVolumeExpansion`). What was let through would wait
/// for ever without a word.
struct ClaimGrowthAdmission {
  let cache: ObjectCache
  let kinds: KindIndex

  /// - Throws: `APIStatus` 403, in the words of Kubernetes' admission plugin `PersistentVolumeClaimResize`.
  func check(old: KubernetesObject?, new: KubernetesObject, _ resource: Resource) throws(APIStatus) {
    guard resource == .persistentVolumeClaims, let old,
      let before = Quantity(json: old.spec["resources"]["requests"]["storage"]),
      let after = Quantity(json: new.spec["resources"]["requests"]["storage"]), after > before
    else { return }
    let name = new.spec["storageClassName"].string ?? ""
    guard allowsGrowth(name) else {
      let remedy =
        name.isEmpty ? "the claim has no class" : "storage class \"\(name)\" does not say allowVolumeExpansion: true"
      throw APIStatus.forbidden(
        resource, new.name,
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize (\(remedy))"
      )
    }
  }

  private func allowsGrowth(_ name: String) -> Bool {
    guard !name.isEmpty, let kind = kinds.find(.storageClasses),
      let record = cache.record(kind, ObjectKey(name: name)), let storageClass = try? record.object()
    else { return false }
    return storageClass["allowVolumeExpansion"].bool == true
  }
}
