import APIServer
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// What members of one tenant get of another tenant's objects.
@Suite("Attacks on another tenant's objects")
struct TenantAttacks {
  static let users: [(name: String, role: Attack.Role)] = [
    ("outsider", .outsider), ("viewer", .viewer), ("editor", .editor), ("admin", .tenantAdmin),
  ]
  static let resources: [Resource] = [.pods, .secrets, .configMaps, .persistentVolumeClaims, .deployments]

  @Test("nobody of one tenant reads another's objects", arguments: users, resources)
  func reads(user: (name: String, role: Attack.Role), resource: Resource) async throws {
    try await AttackStage.with { stage in
      let attack = Attack(user.role, "list \(resource.plural)", on: resource == .secrets ? .otherSecrets : .otherData)
      let held = try await attempt(attack) {
        do {
          let list = try await stage.client(user.name).list(resource, namespace: AttackStage.theirs)
          return .through("\(list.items.count) objects")
        } catch let status as APIStatus {
          return .check(status.code == 403, status.message)
        }
      }
      #expect(held)
    }
  }
}
