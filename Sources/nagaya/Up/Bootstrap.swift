import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The objects that every instance has from its first start. Existing ones are left as their users made them, but for roles:
/// those follow the version (`RoleReconciliation`).
struct Bootstrap: Sendable {
  let client: KubernetesClient

  /// The first start, and no other, makes the tenant of the tour: users may delete it.
  func run() async throws {
    // Made last: where it is, an earlier start came to the end of this function.
    let last = KubernetesObject(.namespaces, name: "default")
    let isFirst = try await client.getIfPresent(.namespaces, name: last.name) == nil
    for name in ["kube-system", "kube-public", "kube-node-lease"] {
      try await make(KubernetesObject(.namespaces, name: name), .namespaces)
    }
    for role in DefaultRoles.objects {
      try await makeOrUpdate(role, role.kind == "ClusterRole" ? .clusterRoles : .clusterRoleBindings)
    }
    for part in PartIdentity.all(node: "") { try await grant(part) }
    try await make(Self.storageClass, .storageClasses)
    try await make(Self.snapshotClass, .volumeSnapshotClasses)
    if isFirst { try await make(Self.demoTenant, .tenants) }
    try await make(last, .namespaces)
  }

  private func make(_ object: KubernetesObject, _ resource: Resource) async throws {
    if try await client.getIfPresent(resource, namespace: object.namespace, name: object.name) != nil { return }
    try await client.create(object, as: resource)
  }

  private func makeOrUpdate(_ wanted: KubernetesObject, _ resource: Resource) async throws {
    guard let present = try await client.getIfPresent(resource, name: wanted.name) else {
      try await client.create(wanted, as: resource)
      return
    }
    guard !RoleReconciliation.isKept(present) else { return }
    // What a binding stands for cannot be changed, only made anew.
    if present["roleRef"] != wanted["roleRef"] {
      try await client.delete(resource, name: wanted.name, uid: present.uid)
      try await client.create(wanted, as: resource)
    } else if let updated = RoleReconciliation.reconciled(present, with: wanted) {
      try await client.update(updated, as: resource)
    }
  }

  /// Makes the role and its binding as this version wants them: a part's rights are the platform's, not its users'.
  private func grant(_ part: PartIdentity) async throws {
    for (wanted, resource, member) in [
      (part.role.object, Resource.clusterRoles, "rules"), (part.binding, .clusterRoleBindings, "subjects"),
    ] {
      var wanted = wanted
      wanted.labels = DefaultRoles.labels
      wanted.annotations = DefaultRoles.annotations
      if var present = try await client.getIfPresent(resource, name: wanted.name) {
        if present[member] == wanted[member] || RoleReconciliation.isKept(present) { continue }
        present[member] = wanted[member]
        try await client.update(present, as: resource)
      } else {
        try await client.create(wanted, as: resource)
      }
    }
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

  /// Snapshots of volumes of the local pools, which go with what stands for them.
  static var snapshotClass: KubernetesObject {
    var object = KubernetesObject(.volumeSnapshotClasses, name: "nagaya-local")
    object.annotations = [SnapshotBinding.defaultClass: "true"]
    object["driver"] = "local.nagaya.dev"
    object["deletionPolicy"] = "Delete"
    return object
  }

  /// The tenant that the README's tour uses.
  static var demoTenant: KubernetesObject {
    var object = KubernetesObject(.tenants, name: "demo")
    object.spec = ["environments": ["dev"], "members": []]
    return object
  }
}
