import JSONDocument
import KubernetesAPI
import TestSupport
import Testing

@testable import APIServer

@Suite struct RoleReconciliationTests {
  private static func role(_ rules: JSONValue..., autoupdate: String? = nil) -> KubernetesObject {
    var role = KubernetesObject(.clusterRoles, name: "edit")
    role["rules"] = .array(rules)
    if let autoupdate { role.annotations[RoleReconciliation.annotation] = autoupdate }
    return role
  }

  private static let pods: JSONValue = ["verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]]
  private static let secrets: JSONValue = ["verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]]
  private static let own: JSONValue = ["verbs": ["use"], "apiGroups": ["example.com"], "resources": ["things"]]
  private static var wanted: KubernetesObject {
    var role = role(pods, secrets, autoupdate: "true")
    role.labels = DefaultRoles.labels
    return role
  }

  @Test func `what is missing is added, what somebody added stays`() throws {
    let updated = try #require(RoleReconciliation.reconciled(Self.role(Self.pods, Self.own), with: Self.wanted))
    #expect(updated["rules"] == [Self.pods, Self.own, Self.secrets])
    #expect(updated.labels == DefaultRoles.labels && updated.annotations == DefaultRoles.annotations)
    #expect(RoleReconciliation.reconciled(updated, with: Self.wanted) == nil)
  }

  @Test func `a rule that says the same in other words is there`() {
    var present = Self.wanted
    present["rules"] = [["verbs": ["*"], "apiGroups": ["*"], "resources": ["pods", "secrets"]]]
    #expect(RoleReconciliation.reconciled(present, with: Self.wanted) == nil)
    present["rules"] = [
      ["verbs": ["list"], "apiGroups": [""], "resources": ["pods"]],
      ["verbs": ["get"], "apiGroups": [""], "resources": ["secrets", "pods"]],
    ]
    #expect(RoleReconciliation.reconciled(present, with: Self.wanted) == nil)
    // For one name only is less than for all.
    present["rules"] = [
      Self.pods, ["verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]],
    ]
    #expect(RoleReconciliation.reconciled(present, with: Self.wanted) != nil)
  }

  @Test func `bindings get the subjects that they lack`() throws {
    let wanted = try #require(
      DefaultRoles.objects.first { $0.name == "system:public-info-viewer" && $0.kind == "ClusterRoleBinding" })
    var present = wanted
    let own: JSONValue = ["kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"]
    present["subjects"] = [wanted["subjects"][0], own]
    let updated = try #require(RoleReconciliation.reconciled(present, with: wanted))
    #expect(updated["subjects"] == [wanted["subjects"][0], own, wanted["subjects"][1]])
  }

  /// Each default that somebody narrowed and wants to keep so.
  @Test(arguments: DefaultRoles.objects.map { "\($0.kind) \($0.name)" })
  func `a default that an administrator keeps narrow is not widened`(name: String) async throws {
    let wanted = try #require(DefaultRoles.objects.first { "\($0.kind) \($0.name)" == name })
    var narrowed = wanted
    for member in ["rules", "subjects"] where !wanted[member].isNull { narrowed[member] = [] }
    narrowed.annotations[RoleReconciliation.annotation] = "false"
    let held = try await attempt(Attack(.tenantAdmin, "an upgrade that widens the kept \(name)", on: .platformRights)) {
      let updated = RoleReconciliation.reconciled(narrowed, with: wanted)
      return .check(updated == nil, updated == nil ? "left as it is" : "it was widened")
    }
    #expect(held)
    // It is the annotation that keeps it.
    narrowed.annotations[RoleReconciliation.annotation] = nil
    #expect(RoleReconciliation.reconciled(narrowed, with: wanted) != nil)
  }
}
