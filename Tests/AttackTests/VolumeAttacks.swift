import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// What members of a tenant may write of volumes and claims.
@Suite struct VolumeAttacks {
  private static func refused(_ body: () async throws -> Void, _ codes: Set<Int> = [403]) async throws -> AttackOutcome
  {
    do { try await body() } catch let status as APIStatus {
      return .check(codes.contains(status.code), "\(status.code) \(status.message)")
    }
    return .through("it was written")
  }

  private static func volume(_ stage: AttackStage) async throws {
    var volume = KubernetesObject(.persistentVolumes, name: "theirs")
    volume.spec = [
      "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"],
      "csi": ["driver": "local.nagaya.dev", "volumeHandle": "theirs"],
    ]
    try await stage.root.create(volume, as: .persistentVolumes)
  }

  static let users: [(name: String, role: Attack.Role)] = [
    ("viewer", .viewer), ("editor", .editor), ("admin", .tenantAdmin),
  ]
  static let patches: [(way: String, patch: JSONValue)] = [
    ("claimRef of a volume", ["spec": ["claimRef": ["namespace": "green-dev", "name": "mine"]]]),
    ("capacity of a volume", ["spec": ["capacity": ["storage": "9Gi"]]]),
    ("access modes of a volume", ["spec": ["accessModes": ["ReadWriteMany"]]]),
    ("reclaim policy of a volume", ["spec": ["persistentVolumeReclaimPolicy": "Delete"]]),
    ("labels of a volume", ["metadata": ["labels": ["a": "b"]]]),
  ]

  @Test("volumes are not the tenants' to write", arguments: users, patches)
  func volumes(user: (name: String, role: Attack.Role), change: (way: String, patch: JSONValue)) async throws {
    try await AttackStage.with { stage in
      try await Self.volume(stage)
      let held = try await attempt(Attack(user.role, "patch the \(change.way)", on: .otherVolumes)) {
        try await Self.refused {
          try await stage.client(user.name).patch(.persistentVolumes, name: "theirs", change.patch)
        }
      }
      #expect(held)
    }
  }

  @Test("no tenant reads volumes, makes one, or takes one away", arguments: ["get", "create", "delete"])
  func verbs(verb: String) async throws {
    try await AttackStage.with { stage in
      try await Self.volume(stage)
      let client = stage.client("admin")
      let held = try await attempt(Attack(.tenantAdmin, "\(verb) a volume", on: .otherVolumes)) {
        try await Self.refused {
          switch verb {
          case "get": _ = try await client.get(.persistentVolumes, name: "theirs")
          case "create":
            var volume = KubernetesObject(.persistentVolumes, name: "mine")
            volume.spec = [
              "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "hostPath": ["path": "/"],
            ]
            _ = try await client.create(volume, as: .persistentVolumes)
          default: try await client.delete(.persistentVolumes, name: "theirs")
          }
        }
      }
      #expect(held)
    }
  }

  static let claimPatches: [(way: String, subresource: String?, patch: JSONValue, codes: Set<Int>)] = [
    ("the phase of a claim", "status", ["status": ["phase": "Bound"]], [403]),
    ("the capacity of a claim", "status", ["status": ["capacity": ["storage": "1Mi"]]], [403]),
    ("another volumeName", nil, ["spec": ["volumeName": "theirs"]], [422]),
    ("no volumeName", nil, ["spec": ["volumeName": nil]], [422]),
    ("another class", nil, ["spec": ["storageClassName": "other"]], [422]),
    ("another mode", nil, ["spec": ["volumeMode": "Block"]], [422]),
    ("other access modes", nil, ["spec": ["accessModes": ["ReadWriteMany"]]], [422]),
    ("another selector", nil, ["spec": ["selector": ["matchLabels": ["a": "b"]]]], [422]),
    ("another request", nil, ["spec": ["resources": ["requests": ["cpu": "1"]]]], [422]),
    ("a limit", nil, ["spec": ["resources": ["limits": ["storage": "9Gi"]]]], [422]),
    ("growth of an unbound claim", nil, ["spec": ["resources": ["requests": ["storage": "9Gi"]]]], [403, 422]),
  ]

  @Test("a claim stays as it was made", arguments: claimPatches)
  func claims(change: (way: String, subresource: String?, patch: JSONValue, codes: Set<Int>)) async throws {
    try await AttackStage.with { stage in
      let client = stage.client("admin")
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: AttackStage.mine, name: "mine")
      claim.spec = [
        "accessModes": ["ReadWriteOnce"], "volumeName": "mine", "storageClassName": "nagaya-local",
        "resources": ["requests": ["storage": "1Gi"]],
      ]
      try await client.create(claim, as: .persistentVolumeClaims)
      let held = try await attempt(Attack(.tenantAdmin, "patch \(change.way)", on: .otherVolumes)) {
        try await Self.refused(
          {
            try await client.patch(
              .persistentVolumeClaims, namespace: AttackStage.mine, name: "mine", subresource: change.subresource,
              change.patch)
          }, change.codes)
      }
      #expect(held)
    }
  }
}
