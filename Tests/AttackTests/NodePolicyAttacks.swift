import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import NodeHooks
import TestSupport
import Testing

/// Policies of nodes are the platform's: they say what containers see of the machine.
@Suite("Attacks on policies of nodes")
struct NodePolicyAttacks {
  private static let policy: KubernetesObject = {
    var policy = KubernetesObject(.nodePolicies, name: "mine")
    policy.spec = [
      "order": 0, "mounts": [["name": "root", "hostPath": "/etc", "mountPath": "/host"]],
      "match": ["namespaces": [.string(AttackStage.mine)]],
    ]
    return policy
  }()

  private func refused(_ call: () async throws -> Void) async throws -> AttackOutcome {
    do {
      try await call()
      return .through("it was done")
    } catch let status as APIStatus {
      return .check(status.code == 403, "\(status.code) \(status.message)")
    }
  }

  @Test("nobody of a tenant writes one", arguments: TenantAttacks.users)
  func writes(user: (name: String, role: Attack.Role)) async throws {
    try await AttackStage.with { stage in
      var bound = KubernetesObject(.nodePolicies, name: "bound")
      bound.spec = ["resources": ["pids": ["max": 100]]]
      let stored = try await stage.root.create(bound, as: .nodePolicies)
      let client = stage.client(user.name)
      var held = try await attempt(Attack(user.role, "create a NodePolicy", on: .nodeFiles)) {
        try await refused { try await client.create(Self.policy, as: .nodePolicies) }
      }
      #expect(held)
      held = try await attempt(Attack(user.role, "take the bounds out of a NodePolicy", on: .nodeMemory)) {
        var changed = stored
        changed.spec = [:]
        let wanted = changed
        return try await refused { try await client.update(wanted, as: .nodePolicies) }
      }
      #expect(held)
      held = try await attempt(Attack(user.role, "delete a NodePolicy", on: .nodeMemory)) {
        try await refused { try await client.delete(.nodePolicies, name: "bound", uid: stored.uid) }
      }
      #expect(held)
    }
  }

  @Test("nobody of a tenant writes classes of volumes", arguments: TenantAttacks.users)
  func classes(user: (name: String, role: Attack.Role)) async throws {
    try await AttackStage.with { stage in
      let fast = ["local.nagaya.dev/readBytesPerSecond": "1E"] as JSONValue
      var attributes = KubernetesObject(.volumeAttributesClasses, name: "fast")
      (attributes["driverName"], attributes["parameters"]) = ("local.nagaya.dev", fast)
      var storage = KubernetesObject(.storageClasses, name: "fast")
      (storage["provisioner"], storage["parameters"]) = ("local.nagaya.dev", fast)
      let client = stage.client(user.name)
      for (object, resource) in [(attributes, Resource.volumeAttributesClasses), (storage, .storageClasses)] {
        let held = try await attempt(Attack(user.role, "create a \(resource.kind) without limits", on: .nodeDisk)) {
          try await refused { try await client.create(object, as: resource) }
        }
        #expect(held)
      }
    }
  }

  @Test("the hooks' own identity reads policies, and nothing that is secret")
  func hooks() async throws {
    try await AttackStage.with { stage in
      let hooks = stage.server.client(as: .part("hooks"))
      for resource in [
        Resource.nodePolicies, .namespaces, .persistentVolumes, .storageClasses, .volumeAttributesClasses,
      ] { _ = try await hooks.list(resource) }
      let ways: [(String, Attack.Target, @Sendable () async throws -> Void)] = [
        ("list secrets", .otherSecrets, { _ = try await hooks.list(.secrets) }),
        ("list pods", .otherData, { _ = try await hooks.list(.pods) }),
        (
          "make a class of its own", .platformRights,
          {
            var attributes = KubernetesObject(.volumeAttributesClasses, name: "mine")
            attributes["driverName"] = "local.nagaya.dev"
            attributes["parameters"] = ["local.nagaya.dev/readBytesPerSecond": "1E"]
            try await hooks.create(attributes, as: .volumeAttributesClasses)
          }
        ),
        ("create a NodePolicy", .platformRights, { _ = try await hooks.create(Self.policy, as: .nodePolicies) }),
        (
          "give a namespace to another tenant", .platformRights,
          {
            try await hooks.patch(
              .namespaces, name: AttackStage.mine, ["metadata": ["labels": ["nagaya.dev/tenant": "blue"]]])
          }
        ),
      ]
      for (way, target, call) in ways {
        let held = try await attempt(Attack(.component, "as the hooks: \(way)", on: target)) {
          try await refused { try await call() }
        }
        #expect(held)
      }
    }
  }
}
