import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A way of making volumes.
  static let storageClass = ResourceDefinition(
    .storageClasses, singular: "storageclass", shortNames: ["sc"], schema: "io.k8s.api.storage.v1.StorageClass",
    columns: [
      TableColumn("Name", format: "name", description: "The class's name; the default one is marked.") { object in
        object.isDefaultStorageClass ? "\(object.name) (default)" : .string(object.name)
      },
      .text("Provisioner", "Who makes the volumes.") { $0["provisioner"].string },
      .text("ReclaimPolicy", "What becomes of a volume when its claim goes.") { $0["reclaimPolicy"].string },
      .text("VolumeBindingMode", "When a volume is made.") { $0["volumeBindingMode"].string },
      .text("AllowVolumeExpansion", "Whether claims may grow.") {
        $0["allowVolumeExpansion"].bool == true ? "true" : "false"
      },
      .age,
    ],
    applyDefaults: { storageClass in
      storageClass.json.setDefault("reclaimPolicy", "Delete")
      storageClass.json.setDefault("volumeBindingMode", "Immediate")
    },
    prepareForCreate: { _ in },
    validate: { storageClass, old in
      var faults = FieldFaults()
      if (storageClass["provisioner"].string ?? "").isEmpty { faults.required("provisioner") }
      faults.checkChoice("reclaimPolicy", storageClass["reclaimPolicy"], ["Delete", "Retain"])
      faults.checkChoice(
        "volumeBindingMode", storageClass["volumeBindingMode"], ["Immediate", "WaitForFirstConsumer"])
      if let old {
        for key in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]
        where storageClass[key] != old[key] {
          faults.forbidden(key, "updates to \(key) are forbidden.")
        }
      } else if storageClass["provisioner"].string == VolumeParameters.driver {
        faults.checkParameters(storageClass["parameters"], isMutable: false)
      }
      return faults.causes
    })
}

extension FieldFaults {
  /// Parameters of the driver of local volumes: a mistyped limit would limit nothing.
  mutating func checkParameters(_ parameters: JSONValue, isMutable: Bool) {
    for fault in VolumeParameters.faults(parameters.strings, isMutable: isMutable) {
      invalid("parameters[\(fault.name)]", .string(fault.value), fault.reason)
    }
  }
}

extension KubernetesObject {
  fileprivate var isDefaultStorageClass: Bool {
    annotations["storageclass.kubernetes.io/is-default-class"] == "true"
      || annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
  }
}
