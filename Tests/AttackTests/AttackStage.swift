import APIServer
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore

@testable import nagaya

/// The API server with the roles, rules and guards of `nagaya up`, two tenants and a user for every role.
///
/// `blue` is the victim's environment, `green` the attacker's: `viewer`, `editor` and `admin` have the role of their name in
/// `green-dev` and nothing anywhere else.
struct AttackStage: Sendable {
  static let mine = "green-dev"
  static let theirs = "blue-dev"

  let server: APIServer
  /// May do everything: lays out what the attack is after.
  let root: KubernetesClient

  static func with<Result: Sendable>(_ body: @Sendable (AttackStage) async throws -> Result) async throws -> Result {
    let gate = Gate()
    let server = try await APIServer(
      store: MemoryObjectStore(), registry: .standard,
      authorizer: { gate.authorizer(over: $0) }, virtualResources: { _, _ in gate.virtualResources() },
      admission: { [NodeRestriction(), StorageGuard(objects: $0), TenantGuard(objects: $0)] }, logs: nil,
      logger: Logger(label: "attacks"))
    let stage = AttackStage(
      server: server, root: server.client(as: UserInfo(name: "root", groups: [UserInfo.mastersGroup])))
    for object in DefaultRoles.objects {
      try await stage.root.create(object, as: object.kind == "ClusterRole" ? .clusterRoles : .clusterRoleBindings)
    }
    for part in PartIdentity.all(node: "n1") {
      try await stage.root.create(part.role.object, as: .clusterRoles)
      try await stage.root.create(part.binding, as: .clusterRoleBindings)
    }
    for (namespace, tenant) in [(mine, "green"), (theirs, "blue")] {
      try await stage.root.create(
        KubernetesObject(.namespaces, name: namespace, labels: ["nagaya.dev/tenant": tenant]), as: .namespaces)
    }
    for (user, role) in [("viewer", "view"), ("editor", "edit"), ("admin", "admin")] {
      var binding = KubernetesObject(.roleBindings, namespace: mine, name: user)
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)]
      binding["subjects"] = [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": .string(user)]]
      try await stage.root.create(binding, as: .roleBindings)
    }
    return try await body(stage)
  }

  /// A client of `outsider` (no right at all), `viewer`, `editor` or `admin` of the attacker's environment.
  func client(_ user: String) -> KubernetesClient {
    server.client(as: UserInfo(name: user, groups: ["system:authenticated"]))
  }
}
