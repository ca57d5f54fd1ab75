import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A pool of local disk space on one node.
  static let volumePool = ResourceDefinition(
    .volumePools, singular: "volumepool", shortNames: ["vp"], categories: ["nagaya"],
    schema: "dev.nagaya.storage.v1alpha1.VolumePool",
    columns: [
      TableColumn("Name", format: "name", description: "<node>-<pool>.") { .string($0.name) },
      .text("Node", "The machine.") { $0.spec["nodeName"].string }.showing(".spec.nodeName"),
      .text("Pool", "The pool's name on its node.") { $0.spec["pool"].string }.showing(".spec.pool"),
      .text("Capacity", "All its space.", missing: "") { size($0.status["capacityBytes"]) },
      .text("Free", "Space for new volumes.", missing: "") { size($0.status["freeBytes"]) },
      .count("Volumes", "How many volumes it holds.") { $0.status["volumes"].int }.showing(".status.volumes"),
      .age,
    ],
    selectableFields: [SelectableField("spec.nodeName") { $0.spec["nodeName"].string ?? "" }],
    subresources: [.status], hasGeneration: true,
    validate: { pool, old in
      var faults = FieldFaults()
      faults.checkDNSSubdomain("spec.nodeName", pool.spec["nodeName"])
      faults.checkDNSLabel("spec.pool", pool.spec["pool"])
      faults.checkChoice("spec.backend", pool.spec["backend"], ["file"])
      if let path = pool.spec["path"].string, !path.isAbsolutePath {
        faults.invalid("spec.path", .string(path), "must be an absolute path")
      }
      if let old {
        for key in ["nodeName", "pool", "backend"] {
          faults.checkImmutable("spec.\(key)", new: pool.spec[key], old: old.spec[key])
        }
      }
      return faults.causes
    })

  /// Bytes in the largest binary unit with one digit behind the point: `9.5Gi`.
  private static func size(_ bytes: JSONValue) -> String? {
    guard let count = bytes.int else { return nil }
    for (shift, unit) in [(50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")] where count >= 1 << shift {
      let tenths = count / (1 << shift) * 10 + count % (1 << shift) * 10 / (1 << shift)
      return tenths % 10 == 0 ? "\(tenths / 10)\(unit)" : "\(tenths / 10).\(tenths % 10)\(unit)"
    }
    return "\(count)"
  }
}
