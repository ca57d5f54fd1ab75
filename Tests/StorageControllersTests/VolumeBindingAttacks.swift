import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// Claims that name volumes which are not theirs, against the real controllers, driver and pool.
@Suite struct VolumeBindingAttacks {
  struct Try: Sendable, CustomStringConvertible {
    let way: String
    /// The volume's `claimRef` at the time of the attack; `nil` leaves it as the victim's claim has it.
    var owner: JSONValue?
    var size = "1Gi"
    var change: @Sendable (inout KubernetesObject) -> Void = { _ in }
    var description: String { way }
  }

  static let tries: [Try] = [
    Try(way: "volumeName of a bound volume"),
    Try(way: "volumeName of a bound volume, and a larger request", size: "3Gi"),
    Try(way: "volumeName with a forged bind-completed") {
      $0.annotations = ["pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"]
    },
    Try(way: "volumeName with a forged status") {
      $0.status = ["phase": "Bound", "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"]]
    },
    Try(way: "volumeName with a forged uid of the victim's claim") { $0.metadata["uid"] = "forged" },
    Try(
      way: "volumeName of a released volume",
      owner: ["kind": "PersistentVolumeClaim", "namespace": "kube-system", "name": "data", "uid": "gone"]),
    Try(
      way: "volumeName of a released volume whose claim had the same namespace and name",
      owner: ["kind": "PersistentVolumeClaim", "namespace": "default", "name": "thief", "uid": "gone"]),
    Try(
      way: "volumeName of a volume kept for another tenant",
      owner: ["kind": "PersistentVolumeClaim", "namespace": "kube-system", "name": "thief"]),
    Try(
      way: "volumeName of a volume kept for another claim",
      owner: ["kind": "PersistentVolumeClaim", "namespace": "default", "name": "data"]),
    Try(way: "a free volume that is too small", owner: .null, size: "3Gi"),
    Try(way: "a free volume of another class", owner: .null) { $0.spec["storageClassName"] = "other" },
    Try(way: "a free volume of another mode", owner: .null) { $0.spec["volumeMode"] = "Block" },
    Try(way: "a free volume without the access mode", owner: .null) { $0.spec["accessModes"] = ["ReadWriteMany"] },
  ]

  @Test("a claim gets no volume that is not for it", arguments: tries)
  func theft(attempted: Try) async throws {
    let held = try await attempt(Attack(.editor, attempted.way, on: .otherVolumes)) {
      let seen = Seen()
      try await ProvisioningTests().withStorage { client in
        await seen.set(try await Self.run(attempted, client))
      }
      return await seen.outcome
    }
    #expect(held)
  }

  private actor Seen {
    var outcome = AttackOutcome.through("nothing was tried")
    func set(_ outcome: AttackOutcome) { self.outcome = outcome }
  }

  private static func run(_ attempted: Try, _ client: KubernetesClient) async throws -> AttackOutcome {
    let volume =
      if let owner = attempted.owner { try await byHand(owner, client) } else { try await victim(client) }
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "thief")
    claim.spec = [
      "accessModes": ["ReadWriteOnce"], "volumeName": .string(volume.name), "storageClassName": "nagaya-local",
      "resources": ["requests": ["storage": .string(attempted.size)]],
    ]
    attempted.change(&claim)
    let made = try await client.create(claim, as: .persistentVolumeClaims)
    var phase = ""
    try await eventually("the claim is judged") {
      phase =
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "thief").status["phase"].string ?? ""
      let events = try await client.list(.events, namespace: "default").items
      return phase == "Bound"
        || events.contains {
          $0["involvedObject"]["uid"].string == made.uid
            && ["FailedBinding", "VolumeMismatch"].contains($0["reason"].string)
        }
    }
    let now = try await client.get(.persistentVolumes, name: volume.name)
    return .check(
      phase != "Bound" && now.spec["claimRef"]["uid"].string != made.uid
        && now.spec["capacity"]["storage"] == volume.spec["capacity"]["storage"],
      "phase \(phase), the volume is of \(now.spec["claimRef"]["name"].string ?? "nobody")")
  }

  /// A volume that an administrator made.
  private static func byHand(_ owner: JSONValue, _ client: KubernetesClient) async throws -> KubernetesObject {
    var volume = KubernetesObject(.persistentVolumes, name: "by-hand")
    volume.spec = [
      "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "storageClassName": "nagaya-local",
      "csi": ["driver": "example.org", "volumeHandle": "by-hand"],
    ]
    if !owner.isNull { volume.spec["claimRef"] = owner }
    return try await client.create(volume, as: .persistentVolumes)
  }

  /// Another tenant's volume, made and bound.
  private static func victim(_ client: KubernetesClient) async throws -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "kube-system", name: "data")
    claim.annotations = ["volume.kubernetes.io/selected-node": "node-1"]
    claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
    try await client.create(claim, as: .persistentVolumeClaims)
    var name: String?
    try await eventually("the victim's claim is bound") {
      let bound = try await client.get(.persistentVolumeClaims, namespace: "kube-system", name: "data")
      name = bound.spec["volumeName"].string
      return bound.status["phase"] == "Bound"
    }
    return try await client.get(.persistentVolumes, name: name ?? "")
  }

  @Test(
    "a claim gets the free volume that it names, and the one that is kept for it",
    arguments: [nil, ["kind": "PersistentVolumeClaim", "namespace": "default", "name": "owner"]] as [JSONValue])
  func rightful(owner: JSONValue) async throws {
    try await ProvisioningTests().withStorage { client in
      var volume = KubernetesObject(.persistentVolumes, name: "by-hand")
      volume.spec = [
        "capacity": ["storage": "2Gi"], "accessModes": ["ReadWriteOnce"], "storageClassName": "nagaya-local",
        "csi": ["driver": "example.org", "volumeHandle": "by-hand"],
      ]
      if !owner.isNull { volume.spec["claimRef"] = owner }
      try await client.create(volume, as: .persistentVolumes)
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "owner")
      claim.spec = [
        "accessModes": ["ReadWriteOnce"], "volumeName": "by-hand", "storageClassName": "nagaya-local",
        "resources": ["requests": ["storage": "1Gi"]],
      ]
      let made = try await client.create(claim, as: .persistentVolumeClaims)
      try await eventually("both sides say so") {
        let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "owner")
        let volume = try await client.get(.persistentVolumes, name: "by-hand")
        return claim.status["phase"] == "Bound" && claim.status["capacity"]["storage"] == "2Gi"
          && volume.spec["claimRef"]["uid"].string == made.uid && volume.status["phase"] == "Bound"
      }
    }
  }
}
