import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A namespace: an environment of a tenant.
  static let namespace = ResourceDefinition(
    .namespaces, singular: "namespace", shortNames: ["ns"], schema: "io.k8s.api.core.v1.Namespace",
    nameRule: .dnsLabel,
    columns: [
      .name,
      .text("Status", "Active, or Terminating while its objects are being deleted.") { $0.status["phase"].string },
      .age,
    ],
    selectableFields: [SelectableField("status.phase") { $0.status["phase"].string ?? "" }],
    subresources: [.status, .finalize],
    applyDefaults: { namespace in
      // The label that lets selectors choose a namespace by its name.
      namespace.metadata["labels"]["kubernetes.io/metadata.name"] = .string(namespace.name)
    },
    prepareForCreate: { namespace in
      namespace.json["status"] = ["phase": "Active"]
      // Holds the namespace until the namespace controller has emptied it.
      let own: JSONValue = "kubernetes"
      let others = namespace.spec["finalizers"].elements.filter { $0 != own }
      namespace.json["spec"] = ["finalizers": .array([own] + others)]
    },
    validate: { namespace, _ in
      var faults = FieldFaults()
      for (index, finalizer) in namespace.spec["finalizers"].elements.enumerated() {
        let name = finalizer.string ?? ""
        guard !Names.isQualifiedName(name) || !name.contains("/") && name != "kubernetes" else { continue }
        faults.invalid(
          "spec.finalizers[\(index)]", finalizer,
          "must be \"kubernetes\" or a name such as example.com/what-is-cleaned-up")
      }
      return faults.causes
    })
}
