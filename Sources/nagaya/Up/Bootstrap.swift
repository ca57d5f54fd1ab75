import APIServer
import Edge
import JSONDocument
import KubernetesAPI
import KubernetesClient
import NodeAgent
import NodeHooks

/// The objects that every instance has from its first start. Existing ones are left as their users made them, but for roles:
/// those follow the version (`RoleReconciliation`).
struct Bootstrap: Sendable {
  let client: KubernetesClient

  /// - Returns: whether this was the first start, the one that makes the tenant of the tour: users may delete it.
  @discardableResult
  func run() async throws -> Bool {
    // Made last: where it is, an earlier start came to the end of this function.
    let last = KubernetesObject(.namespaces, name: "default")
    let isFirst = try await client.getIfPresent(.namespaces, name: last.name) == nil
    for name in ["kube-system", "kube-public", "kube-node-lease"] {
      try await make(KubernetesObject(.namespaces, name: name), .namespaces)
    }
    for role in DefaultRoles.objects {
      try await makeOrUpdate(role, role.kind == "ClusterRole" ? .clusterRoles : .clusterRoleBindings)
    }
    for (role, subject) in Self.partRoles { try await grant(role, to: subject) }
    try await make(Self.storageClass, .storageClasses)
    if isFirst { try await make(Self.demoTenant, .tenants) }
    try await make(last, .namespaces)
    return isFirst
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

  /// What the rooms say that their parts may, and who the parts are. The node authorizer narrows the nodes' role down.
  static var partRoles: [(role: KubernetesObject, subject: JSONValue)] {
    func subject(_ kind: String, _ name: String) -> JSONValue {
      ["apiGroup": "rbac.authorization.k8s.io", "kind": .string(kind), "name": .string(name)]
    }
    return [
      (EdgeAccess.role, subject("User", EdgeAccess.name)), (HookAccess.role, subject("User", HookAccess.name)),
      (NodeAccess.role, subject("Group", UserInfo.nodesGroup)),
    ]
  }

  /// Makes the role and its binding as this version wants them: a part's rights are the platform's, not its users'.
  private func grant(_ role: KubernetesObject, to subject: JSONValue) async throws {
    let group = "rbac.authorization.k8s.io"
    var binding = KubernetesObject(.clusterRoleBindings, name: role.name)
    binding["roleRef"] = ["apiGroup": .string(group), "kind": "ClusterRole", "name": .string(role.name)]
    binding["subjects"] = [subject]
    for (wanted, resource, member) in [
      (role, Resource.clusterRoles, "rules"), (binding, .clusterRoleBindings, "subjects"),
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

  /// The tenant that the README's tour uses.
  static var demoTenant: KubernetesObject {
    var object = KubernetesObject(.tenants, name: "demo")
    object.spec = ["environments": ["dev"], "members": []]
    return object
  }
}
