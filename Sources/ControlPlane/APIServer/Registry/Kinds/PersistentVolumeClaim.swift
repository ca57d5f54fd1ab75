import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A wish for a volume. Its default storage class is set by admission, not here.
  static let persistentVolumeClaim = ResourceDefinition(
    .persistentVolumeClaims, singular: "persistentvolumeclaim", shortNames: ["pvc"],
    schema: "io.k8s.api.core.v1.PersistentVolumeClaim",
    columns: [
      .name,
      .text("Status", "Pending, Bound or Lost.") { claim in
        claim.isBeingDeleted ? "Terminating" : claim.status["phase"].string
      },
      .text("Volume", "The volume it got.", missing: "") { $0.spec["volumeName"].string },
      .text("Capacity", "The volume's size.", missing: "") { claim in
        claim.spec["volumeName"].string == nil ? nil : claim.status["capacity"]["storage"].string
      },
      .text("Access Modes", "How the volume may be mounted.", missing: "") { claim in
        claim.spec["volumeName"].string == nil ? nil : KubernetesObject.accessModes(claim.status["accessModes"])
      },
      .text("StorageClass", "The class that makes the volume.", missing: "") { $0.spec["storageClassName"].string },
      .text("VolumeAttributesClass", "The attributes wished for.", missing: "<unset>") {
        $0.spec["volumeAttributesClassName"].string
      },
      .age,
      .text("VolumeMode", "Filesystem or Block.", wide: true, missing: "<unset>") { $0.spec["volumeMode"].string },
      .text("Source", "What it was made from.", wide: true) { claim in
        let source = claim.spec["dataSourceRef"].isNull ? claim.spec["dataSource"] : claim.spec["dataSourceRef"]
        return source["name"].string.map { "\(source["kind"].string ?? "")/\($0)" }
      },
    ],
    subresources: [.status],
    applyDefaults: { claim in
      claim.spec.setDefault("volumeMode", "Filesystem")
      if claim.status["phase"].isNull { claim.status["phase"] = "Pending" }
    },
    prepareForCreate: { $0.json["status"] = ["phase": "Pending"] },
    validate: { claim, old in
      var faults = FieldFaults()
      faults.checkClaimSpec("spec", claim.spec)
      if let old { faults.checkClaimUpdate(claim, old) }
      return faults.causes
    })
}

extension FieldFaults {
  /// The spec of a claim, also as an ephemeral volume's template.
  mutating func checkClaimSpec(_ field: String, _ spec: JSONValue) {
    checkAccessModes("\(field).accessModes", spec["accessModes"])
    let size = spec["resources"]["requests"]["storage"]
    if size.isNull { required("\(field).resources[storage]") }
    checkPositiveSize("\(field).resources[storage]", size)
    if let request = Quantity(json: size), let limit = Quantity(json: spec["resources"]["limits"]["storage"]),
      request > limit
    {
      invalid("\(field).resources.requests[storage]", size, "must be less than or equal to the storage limit")
    }
    checkChoice("\(field).volumeMode", spec["volumeMode"], ["Block", "Filesystem"])
    if let name = spec["storageClassName"].string, !name.isEmpty, !Names.isDNSSubdomain(name) {
      invalid("\(field).storageClassName", .string(name), Self.dnsSubdomainRule)
    }
    if let name = spec["volumeAttributesClassName"].string, !name.isEmpty, !Names.isDNSSubdomain(name) {
      invalid("\(field).volumeAttributesClassName", .string(name), Self.dnsSubdomainRule)
    }
  }

  /// A claim's spec stays as it is, but for growth, the volume's name once it is found, the class set late, and the attributes
  /// of a bound claim's volume.
  fileprivate mutating func checkClaimUpdate(_ claim: KubernetesObject, _ old: KubernetesObject) {
    func frozen(_ spec: JSONValue) -> JSONValue {
      var spec = spec
      spec["resources"]["requests"].remove("storage")
      if (old.spec["volumeName"].string ?? "").isEmpty { spec.remove("volumeName") }
      if old.spec["storageClassName"].isNull { spec.remove("storageClassName") }
      if old.status["phase"].string == "Bound" { spec.remove("volumeAttributesClassName") }
      return spec
    }
    if frozen(claim.spec) != frozen(old.spec) {
      forbidden(
        "spec",
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")
    }
    // What is in force can be put in the place of something, not taken back.
    if (claim.spec["volumeAttributesClassName"].string ?? "").isEmpty,
      !(old.spec["volumeAttributesClassName"].string ?? "").isEmpty,
      !old.status["currentVolumeAttributesClassName"].isNull
    {
      forbidden(
        "spec.volumeAttributesClassName",
        "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil")
    }
    let (new, before) = (claim.spec["resources"]["requests"], old.spec["resources"]["requests"])
    guard let wanted = Quantity(json: new["storage"]), let had = Quantity(json: before["storage"]), wanted != had
    else { return }
    if wanted < had, wanted <= Quantity(json: old.status["capacity"]["storage"]) ?? had {
      forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    } else if old.status["phase"].string != "Bound" {
      forbidden("spec.resources.requests.storage", "only a bound claim can be resized")
    }
  }
}
