import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The objects that every instance has from its first start. Existing ones are left as their users made them.
struct Bootstrap: Sendable {
  let client: KubernetesClient

  func run() async throws {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
      try await make(KubernetesObject(.namespaces, name: name), .namespaces)
    }
    for role in DefaultRoles.objects {
      try await make(role, role.kind == "ClusterRole" ? .clusterRoles : .clusterRoleBindings)
    }
    try await make(Self.storageClass, .storageClasses)
  }

  private func make(_ object: KubernetesObject, _ resource: Resource) async throws {
    if try await client.getIfPresent(resource, namespace: object.namespace, name: object.name) != nil { return }
    try await client.create(object, as: resource)
  }

  /// Volumes of the local pool, made where the pod goes.
  static var storageClass: KubernetesObject {
    var object = KubernetesObject(.storageClasses, name: "nagaya-local")
    object.annotations = ["storageclass.kubernetes.io/is-default-class": "true"]
    object["provisioner"] = "local.nagaya.dev"
    object["volumeBindingMode"] = "WaitForFirstConsumer"
    object["reclaimPolicy"] = "Delete"
    object["allowVolumeExpansion"] = true
    object["parameters"] = ["local.nagaya.dev/pool": "default", "csi.storage.k8s.io/fstype": "xfs"]
    return object
  }

  /// The tenant that the README's tour uses.
  static var demoTenant: KubernetesObject {
    var object = KubernetesObject(.tenants, name: "demo")
    object.spec = ["environments": ["dev"], "members": []]
    return object
  }

  func makeDemoTenant() async throws { try await make(Self.demoTenant, .tenants) }
}
