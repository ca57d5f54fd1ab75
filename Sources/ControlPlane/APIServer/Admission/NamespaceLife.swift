import JSONDocument
import KubernetesAPI

/// What the server itself does for namespaces; emptying them is a controller's work.
enum NamespaceLife {
  /// A new namespace is active and is held by the finalizer `kubernetes` in its spec.
  static func begin(_ namespace: inout KubernetesObject) {
    namespace.metadata["labels"]["kubernetes.io/metadata.name"] = .string(namespace.name)
    if namespace.spec["finalizers"].elements.isEmpty { namespace.spec["finalizers"] = ["kubernetes"] }
    namespace.status["phase"] = "Active"
  }

  static func terminate(_ namespace: inout KubernetesObject) { namespace.status["phase"] = "Terminating" }

  /// Held by `spec.finalizers` until `/finalize` takes them out.
  static func isHeld(_ object: KubernetesObject, _ resource: Resource) -> Bool {
    resource == .namespaces && !object.spec["finalizers"].elements.isEmpty
  }
}
