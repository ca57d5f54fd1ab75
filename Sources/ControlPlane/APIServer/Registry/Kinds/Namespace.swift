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
      namespace.json["spec"] = ["finalizers": ["kubernetes"]]
    })
}
