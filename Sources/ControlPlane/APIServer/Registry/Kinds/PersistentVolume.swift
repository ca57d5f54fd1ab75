import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A volume as the cluster has it.
  static let persistentVolume = ResourceDefinition(
    .persistentVolumes, singular: "persistentvolume", shortNames: ["pv"],
    schema: "io.k8s.api.core.v1.PersistentVolume",
    columns: [
      .name,
      .text("Capacity", "Its size.") { $0.spec["capacity"]["storage"].string },
      .text("Access Modes", "How it may be mounted.") { KubernetesObject.accessModes($0.spec["accessModes"]) },
      .text("Reclaim Policy", "What becomes of it when its claim goes.") {
        $0.spec["persistentVolumeReclaimPolicy"].string
      },
      .text("Status", "Available, Bound, Released or Failed.") { volume in
        volume.isBeingDeleted ? "Terminating" : volume.status["phase"].string
      },
      .text("Claim", "The claim that has it.", missing: "") { volume in
        let claim = volume.spec["claimRef"]
        guard let name = claim["name"].string else { return nil }
        return "\(claim["namespace"].string ?? "")/\(name)"
      },
      .text("StorageClass", "The class it was made by.", missing: "") { $0.spec["storageClassName"].string },
      .text("VolumeAttributesClass", "The attributes in force.", missing: "<unset>") {
        $0.spec["volumeAttributesClassName"].string
      },
      .text("Reason", "Why it failed.", missing: "") { $0.status["reason"].string },
      .age,
      .text("VolumeMode", "Filesystem or Block.", wide: true, missing: "<unset>") { $0.spec["volumeMode"].string },
    ],
    subresources: [.status],
    applyDefaults: { volume in
      volume.spec.setDefault("persistentVolumeReclaimPolicy", "Retain")
      volume.spec.setDefault("volumeMode", "Filesystem")
      if volume.status["phase"].isNull { volume.status["phase"] = "Pending" }
    },
    prepareForCreate: { $0.json["status"] = ["phase": "Pending"] },
    validate: { volume, old in
      var faults = FieldFaults()
      let spec = volume.spec
      faults.checkAccessModes("spec.accessModes", spec["accessModes"])
      if spec["capacity"]["storage"].isNull { faults.required("spec.capacity[storage]") }
      faults.checkPositiveSize("spec.capacity[storage]", spec["capacity"]["storage"])
      faults.checkChoice(
        "spec.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"], ["Delete", "Recycle", "Retain"])
      faults.checkChoice("spec.volumeMode", spec["volumeMode"], ["Block", "Filesystem"])
      let sources = spec.members.keys.filter { VolumeSources.persistent.contains($0) }.sorted()
      if sources.isEmpty { faults.required("spec", "must specify a volume type") }
      for extra in sources.dropFirst() { faults.forbidden("spec.\(extra)", "may not specify more than 1 volume type") }
      if spec["csi"].isNull == false {
        if (spec["csi"]["driver"].string ?? "").isEmpty { faults.required("spec.csi.driver") }
        if (spec["csi"]["volumeHandle"].string ?? "").isEmpty { faults.required("spec.csi.volumeHandle") }
      }
      if let name = spec["volumeAttributesClassName"].string {
        faults.checkDNSSubdomain("spec.volumeAttributesClassName", .string(name))
        if spec["csi"].isNull {
          faults.required("spec.csi", "has to be specified when using volumeAttributesClassName")
        }
      }
      if let old {
        if spec["volumeAttributesClassName"].isNull, !old.spec["volumeAttributesClassName"].isNull {
          faults.forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")
        }
        for key in VolumeSources.persistent.sorted() where spec[key] != old.spec[key] {
          faults.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
          break
        }
        faults.checkImmutable("spec.volumeMode", new: spec["volumeMode"], old: old.spec["volumeMode"])
        // Where a volume lies changes by a move of it alone (KEP-5381 lets it change at any time).
        if !old.spec["nodeAffinity"].isNull, old.annotations[VolumeMove.annotation] == nil {
          faults.checkImmutable("spec.nodeAffinity", new: spec["nodeAffinity"], old: old.spec["nodeAffinity"])
        }
      }
      return faults.causes
    })
}

/// The members that say where a volume comes from; an object has exactly one of them.
enum VolumeSources {
  static let persistent: Set<String> = [
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
    "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume",
    "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
  ]
}

extension FieldFaults {
  mutating func checkAccessModes(_ field: String, _ modes: JSONValue) {
    let names = modes.elements.compactMap(\.string)
    if names.isEmpty { required(field, "at least 1 access mode is required") }
    for (index, name) in names.enumerated() {
      checkChoice(
        "\(field)[\(index)]", .string(name), ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"])
    }
    if names.contains("ReadWriteOncePod"), names.count > 1 {
      forbidden(field, "may not use ReadWriteOncePod with other access modes")
    }
  }

  mutating func checkPositiveSize(_ field: String, _ value: JSONValue) {
    guard !value.isNull else { return }
    guard let size = Quantity(json: value) else {
      return invalid(field, value, "must be a quantity such as 1Gi")
    }
    if size.milli <= 0 { invalid(field, value, "must be greater than zero") }
  }
}
