import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// What a CSI driver can do.
  static let csiDriver = ResourceDefinition(
    .csiDrivers, singular: "csidriver", schema: "io.k8s.api.storage.v1.CSIDriver",
    columns: [
      .name,
      .flag("AttachRequired", "Whether volumes are attached before they are mounted.") {
        $0.spec["attachRequired"].bool
      },
      .flag("PodInfoOnMount", "Whether the driver is told about the pod.") { $0.spec["podInfoOnMount"].bool },
      .flag("StorageCapacity", "Whether the driver publishes free space.") { $0.spec["storageCapacity"].bool },
      .text("TokenRequests", "Audiences of the tokens it gets.", missing: "<unset>") {
        $0.spec["tokenRequests"].elements.compactMap { $0["audience"].string }.joined(separator: ",")
      },
      .flag("RequiresRepublish", "Whether volumes are published again from time to time.") {
        $0.spec["requiresRepublish"].bool
      },
      .text("Modes", "Persistent, Ephemeral.") {
        $0.spec["volumeLifecycleModes"].elements.compactMap(\.string).joined(separator: ",")
      },
      .age,
    ],
    hasGeneration: true,
    applyDefaults: { driver in
      driver.spec.setDefault("attachRequired", true)
      driver.spec.setDefault("podInfoOnMount", false)
      driver.spec.setDefault("storageCapacity", false)
      driver.spec.setDefault("requiresRepublish", false)
      driver.spec.setDefault("seLinuxMount", false)
      driver.spec.setDefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
      driver.spec.setDefault("volumeLifecycleModes", ["Persistent"])
    },
    prepareForCreate: { _ in },
    validate: { driver, old in
      var faults = FieldFaults()
      faults.checkChoice(
        "spec.fsGroupPolicy", driver.spec["fsGroupPolicy"], ["File", "None", "ReadWriteOnceWithFSType"])
      if let old {
        for key in ["attachRequired", "volumeLifecycleModes"] {
          faults.checkImmutable("spec.\(key)", new: driver.spec[key], old: old.spec[key])
        }
      }
      return faults.causes
    })

  /// The CSI drivers of a node.
  static let csiNode = ResourceDefinition(
    .csiNodes, singular: "csinode", schema: "io.k8s.api.storage.v1.CSINode",
    columns: [.name, .count("Drivers", "How many drivers the node has.") { $0.spec["drivers"].elements.count }, .age],
    prepareForCreate: { _ in },
    validate: { node, _ in
      var faults = FieldFaults()
      var names: Set<String> = []
      for (index, driver) in node.spec["drivers"].elements.enumerated() {
        if (driver["nodeID"].string ?? "").isEmpty { faults.required("spec.drivers[\(index)].nodeID") }
        if !names.insert(driver["name"].string ?? "").inserted {
          faults.duplicate("spec.drivers[\(index)].name", driver["name"])
        }
      }
      return faults.causes
    })

  /// Free space of a storage class in one part of the cluster.
  static let csiStorageCapacity = ResourceDefinition(
    .csiStorageCapacities, singular: "csistoragecapacity", schema: "io.k8s.api.storage.v1.CSIStorageCapacity",
    columns: [
      .name, .text("StorageClassName", "The class the space is for.") { $0["storageClassName"].string },
      .text("Capacity", "Free space.") { $0["capacity"].string }, .age,
    ],
    prepareForCreate: { _ in },
    validate: { capacity, old in
      var faults = FieldFaults()
      faults.checkDNSSubdomain("storageClassName", capacity["storageClassName"])
      if let old {
        faults.checkImmutable("storageClassName", new: capacity["storageClassName"], old: old["storageClassName"])
        faults.checkImmutable("nodeTopology", new: capacity["nodeTopology"], old: old["nodeTopology"])
      }
      return faults.causes
    })
}

extension TableColumn {
  fileprivate static func flag(
    _ name: String, _ description: String, _ value: @escaping @Sendable (KubernetesObject) -> Bool?
  ) -> TableColumn {
    TableColumn(name, type: "boolean", description: description) { .bool(value($0) ?? false) }
  }
}
