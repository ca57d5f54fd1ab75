import JSONDocument
import KubernetesAPI

/// Snapshots of volumes as Kubernetes' external snapshotter defines them (snapshot.storage.k8s.io/v1): its columns, its rules.
extension ResourceDefinition {
  /// A way of taking snapshots.
  static let volumeSnapshotClass = ResourceDefinition(
    .volumeSnapshotClasses, singular: "volumesnapshotclass", shortNames: ["vsclass", "vsclasses"],
    schema: "io.k8s.storage.snapshot.v1.VolumeSnapshotClass",
    columns: [
      .name, .text("Driver", "The driver that takes them.") { $0["driver"].string }.showing(".driver"),
      .text("DeletionPolicy", "What becomes of a snapshot when its VolumeSnapshot goes.") {
        $0["deletionPolicy"].string
      }.showing(".deletionPolicy"),
      .age,
    ],
    prepareForCreate: { _ in },
    validate: { snapshotClass, old in
      var faults = FieldFaults()
      if (snapshotClass["driver"].string ?? "").isEmpty { faults.required("driver") }
      if let old {
        for key in ["driver", "parameters"] where snapshotClass[key] != old[key] {
          faults.forbidden(key, "updates to \(key) are forbidden.")
        }
      } else if snapshotClass["driver"].string == VolumeParameters.driver {
        // A mistyped parameter would change nothing.
        for name in snapshotClass["parameters"].strings.keys.sorted() where !name.hasPrefix("csi.storage.k8s.io/") {
          faults.invalid("parameters[\(name)]", .string(name), "is not known: snapshots have no parameters")
        }
      }
      return faults.causes
    })

  /// What a volume held at one instant.
  static let volumeSnapshot = ResourceDefinition(
    .volumeSnapshots, singular: "volumesnapshot", shortNames: ["vs"],
    schema: "io.k8s.storage.snapshot.v1.VolumeSnapshot",
    columns: [
      .name,
      .ready.showing(".status.readyToUse"),
      .text("SourcePVC", "The claim whose volume it is of.", missing: "") {
        $0.spec["source"]["persistentVolumeClaimName"].string
      }.showing(".spec.source.persistentVolumeClaimName"),
      .text("SourceSnapshotContent", "The one that was there already.", missing: "") {
        $0.spec["source"]["volumeSnapshotContentName"].string
      }.showing(".spec.source.volumeSnapshotContentName"),
      .text("RestoreSize", "What claims made from it have at least.", missing: "") {
        $0.status["restoreSize"].string
      }.showing(".status.restoreSize"),
      .text("SnapshotClass", "The class.", missing: "") { $0.spec["volumeSnapshotClassName"].string }
        .showing(".spec.volumeSnapshotClassName"),
      .text("SnapshotContent", "What stands for it.", missing: "") {
        $0.status["boundVolumeSnapshotContentName"].string
      }.showing(".status.boundVolumeSnapshotContentName"),
      .text("CreationTime", "How long ago it was taken.", missing: "") { snapshot in
        snapshot.status["creationTime"].string.map { KubernetesObject.age(of: $0) }
      },
      .age,
    ],
    subresources: [.status], hasGeneration: true,
    validate: { snapshot, old in
      var faults = FieldFaults()
      let (source, before) = (snapshot.spec["source"], old?.spec["source"] ?? .null)
      faults.checkOneOf("spec.source", source, ["persistentVolumeClaimName", "volumeSnapshotContentName"], before)
      faults.checkNames(
        "spec.source", source, ["persistentVolumeClaimName", "volumeSnapshotContentName"], isNew: old == nil)
      if snapshot.spec["volumeSnapshotClassName"].string == "" {
        faults.invalid(
          "spec.volumeSnapshotClassName", "", "volumeSnapshotClassName must not be the empty string when set")
      }
      return faults.causes
    })

  /// A snapshot as its driver has it.
  static let volumeSnapshotContent = ResourceDefinition(
    .volumeSnapshotContents, singular: "volumesnapshotcontent", shortNames: ["vsc", "vscs"],
    schema: "io.k8s.storage.snapshot.v1.VolumeSnapshotContent",
    columns: [
      .name,
      .ready.showing(".status.readyToUse"),
      TableColumn(
        "RestoreSize", type: "integer", description: "Bytes that volumes made from it have at least."
      ) { $0.status["restoreSize"] }.showing(".status.restoreSize"),
      .text("DeletionPolicy", "What becomes of it when its VolumeSnapshot goes.") { $0.spec["deletionPolicy"].string }
        .showing(".spec.deletionPolicy"),
      .text("Driver", "The driver that has it.") { $0.spec["driver"].string }.showing(".spec.driver"),
      .text("VolumeSnapshotClass", "The class.", missing: "") { $0.spec["volumeSnapshotClassName"].string }
        .showing(".spec.volumeSnapshotClassName"),
      .text("VolumeSnapshot", "Whose it is.", missing: "") { $0.spec["volumeSnapshotRef"]["name"].string }
        .showing(".spec.volumeSnapshotRef.name"),
      .text("VolumeSnapshotNamespace", "The namespace of that.", missing: "") {
        $0.spec["volumeSnapshotRef"]["namespace"].string
      }.showing(".spec.volumeSnapshotRef.namespace"),
      .age,
    ],
    subresources: [.status], hasGeneration: true,
    validate: { content, old in
      var faults = FieldFaults()
      let (spec, before) = (content.spec, old?.spec["source"] ?? .null)
      faults.checkOneOf("spec.source", spec["source"], ["volumeHandle", "snapshotHandle"], before)
      if (spec["driver"].string ?? "").isEmpty { faults.required("spec.driver") }
      faults.checkChoice("spec.sourceVolumeMode", spec["sourceVolumeMode"], ["Block", "Filesystem"])
      let owner = spec["volumeSnapshotRef"]
      if (owner["name"].string ?? "").isEmpty || (owner["namespace"].string ?? "").isEmpty {
        faults.invalid(
          "spec.volumeSnapshotRef", owner,
          "both spec.volumeSnapshotRef.name and spec.volumeSnapshotRef.namespace must be set")
      }
      if let old {
        for key in ["driver", "sourceVolumeMode"] where !old.spec[key].isNull {
          faults.checkImmutable("spec.\(key)", new: spec[key], old: old.spec[key])
        }
        // Whose it is does not change: it is only completed.
        for key in ["name", "namespace", "uid"] where !(old.spec["volumeSnapshotRef"][key].string ?? "").isEmpty {
          faults.checkImmutable(
            "spec.volumeSnapshotRef.\(key)", new: owner[key], old: old.spec["volumeSnapshotRef"][key])
        }
      }
      return faults.causes
    })
}

extension TableColumn {
  fileprivate static let ready = TableColumn(
    "ReadyToUse", type: "boolean", description: "Whether volumes can be made from it."
  ) { $0.status["readyToUse"] }
}

extension FieldFaults {
  /// Exactly one member, which stays as it is.
  fileprivate mutating func checkOneOf(_ field: String, _ value: JSONValue, _ keys: [String], _ old: JSONValue) {
    let given = keys.filter { !value[$0].isNull }
    if given.count != 1 {
      invalid(field, value, "exactly one of \(keys.joined(separator: " and ")) must be set")
    }
    for key in keys where !old[key].isNull || !old.isNull && !value[key].isNull {
      if value[key] != old[key] { invalid("\(field).\(key)", value[key], "\(key) is immutable") }
    }
    for key in given where value[key].string?.isEmpty == true { required("\(field).\(key)") }
  }

  fileprivate mutating func checkNames(_ field: String, _ value: JSONValue, _ keys: [String], isNew: Bool) {
    guard isNew else { return }
    for key in keys {
      if let name = value[key].string, !name.isEmpty, !Names.isDNSSubdomain(name) {
        invalid("\(field).\(key)", .string(name), Self.dnsSubdomainRule)
      }
    }
  }
}
