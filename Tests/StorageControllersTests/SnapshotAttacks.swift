import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// Snapshots and claims that name what is another tenant's, against the real controllers, driver and pool.
@Suite struct SnapshotAttacks {
  struct Try: Sendable, CustomStringConvertible {
    let way: String
    /// Writes what a tenant of `default` may write.
    /// - Parameter victim: the snapshot of tenant `kube-system`, and its content.
    let run: @Sendable (KubernetesClient, _ victim: KubernetesObject, KubernetesObject) async throws -> Void
    var description: String { way }
  }

  private static func snapshot(_ name: String, naming content: String) -> KubernetesObject {
    var snapshot = KubernetesObject(.volumeSnapshots, namespace: "default", name: name)
    snapshot.spec = ["source": ["volumeSnapshotContentName": .string(content)]]
    return snapshot
  }

  private static func thief(_ source: JSONValue) -> KubernetesObject {
    var claim = SnapshotTests.claim("thief", "1Gi")
    claim.spec["dataSourceRef"] = source
    return claim
  }

  static let tries: [Try] = [
    Try(way: "a snapshot that names the content of another tenant's") { client, _, content in
      try await client.create(snapshot("mine", naming: content.name), as: .volumeSnapshots)
      try await client.create(thief(SnapshotTests.from(snapshot: "mine")), as: .persistentVolumeClaims)
    },
    Try(way: "a snapshot of the same name that names the content of another tenant's") { client, victim, content in
      try await client.create(snapshot(victim.name, naming: content.name), as: .volumeSnapshots)
      try await client.create(thief(SnapshotTests.from(snapshot: victim.name)), as: .persistentVolumeClaims)
    },
    Try(way: "a snapshot with a forged status") { client, _, content in
      var mine = SnapshotTests.snapshot("mine", of: "none")
      mine.status = ["readyToUse": true, "boundVolumeSnapshotContentName": .string(content.name)]
      let made = try await client.create(mine, as: .volumeSnapshots)
      // Should it get past the roles.
      var forged = made
      forged.status = mine.status
      try await client.updateStatus(forged, as: .volumeSnapshots)
      try await client.create(thief(SnapshotTests.from(snapshot: "mine")), as: .persistentVolumeClaims)
    },
    Try(way: "a claim that names another namespace's snapshot") { client, victim, _ in
      var source = SnapshotTests.from(snapshot: victim.name)
      source["namespace"] = "kube-system"
      try await client.create(thief(source), as: .persistentVolumeClaims)
    },
    Try(way: "a claim that names another namespace's claim") { client, _, _ in
      try await client.create(
        thief(["kind": "PersistentVolumeClaim", "name": "data", "namespace": "kube-system"]),
        as: .persistentVolumeClaims)
    },
    Try(way: "a claim that says which node has its source") { client, victim, _ in
      var claim = thief(SnapshotTests.from(snapshot: victim.name))
      claim.annotations[ClaimWishes.sourceNode] = "node-1"
      try await client.create(claim, as: .persistentVolumeClaims)
    },
    Try(way: "a claim that says its volume is being made") { client, victim, _ in
      var claim = thief(SnapshotTests.from(snapshot: victim.name))
      claim.finalizers = ["local.nagaya.dev/making-volume"]
      claim.annotations["local.nagaya.dev/making-on"] = "node-1"
      try await client.create(claim, as: .persistentVolumeClaims)
    },
    Try(way: "a snapshot of a claim that names another tenant's volume") { client, _, content in
      var claim = SnapshotTests.claim("thief", "512Mi")
      claim.spec["volumeName"] = content.spec["source"]["volumeHandle"]
      claim.spec["storageClassName"] = "nagaya-local"
      try await client.create(claim, as: .persistentVolumeClaims)
      try await client.create(SnapshotTests.snapshot("mine", of: "thief"), as: .volumeSnapshots)
    },
    Try(way: "a clone of a claim that names another tenant's volume") { client, _, content in
      var claim = SnapshotTests.claim("named", "512Mi")
      claim.spec["volumeName"] = content.spec["source"]["volumeHandle"]
      claim.spec["storageClassName"] = "nagaya-local"
      try await client.create(claim, as: .persistentVolumeClaims)
      try await client.create(thief(SnapshotTests.from(claim: "named")), as: .persistentVolumeClaims)
    },
    Try(way: "a snapshot that takes another tenant's content with it when it goes") { client, _, content in
      var mine = snapshot("mine", naming: content.name)
      mine.finalizers = [SnapshotBinding.snapshotFinalizer]
      try await client.create(mine, as: .volumeSnapshots)
      try await client.delete(.volumeSnapshots, namespace: "default", name: "mine")
      try await SnapshotTests.gone(.volumeSnapshots, "mine", client)
      try await client.create(thief(SnapshotTests.from(snapshot: "mine")), as: .persistentVolumeClaims)
    },
  ]

  @Test("a tenant reaches no other tenant's snapshot", arguments: tries)
  func theft(attempted: Try) async throws {
    let held = try await attempt(Attack(.editor, attempted.way, on: .otherVolumes)) {
      let seen = Seen()
      try await ProvisioningTests().withStorage { client in
        try await SnapshotTests.addClass(client)
        try await client.create(SnapshotTests.claim("data", in: "kube-system"), as: .persistentVolumeClaims)
        _ = try await SnapshotTests.bound("data", in: "kube-system", client)
        try await client.create(
          SnapshotTests.snapshot("precious", in: "kube-system", of: "data"), as: .volumeSnapshots)
        let victim = try await SnapshotTests.ready("precious", in: "kube-system", client)
        let content = try await client.get(
          .volumeSnapshotContents, name: victim.status["boundVolumeSnapshotContentName"].string ?? "")
        try await attempted.run(client, victim, content)
        // One of his own comes after all that, and is ready.
        try await client.create(SnapshotTests.claim("own"), as: .persistentVolumeClaims)
        _ = try await SnapshotTests.bound("own", client)
        try await client.create(SnapshotTests.snapshot("after", of: "own"), as: .volumeSnapshots)
        _ = try await SnapshotTests.ready("after", client)
        try await eventually("the thief is judged") {
          try await client.list(.events, namespace: "default").items.contains {
            ["thief", "mine", "precious"].contains($0["involvedObject"]["name"].string ?? "")
              && $0["type"].string == "Warning"
          }
        }
        let now = try await client.get(.volumeSnapshotContents, name: content.name)
        let volumes = try await client.list(.persistentVolumes).items
        let stolen = try await client.list(.volumeSnapshots, namespace: "default").items.filter {
          $0.name != "after" && $0.status["readyToUse"].bool == true
            && SnapshotBinding.isMutual($0, now)
        }
        await seen.set(
          .check(
            stolen.isEmpty && volumes.count == 2 && now.spec == content.spec && !now.isBeingDeleted
              && now.annotations == content.annotations,
            "\(volumes.count) volumes, snapshots \(stolen.map(\.name))"))
      }
      return await seen.outcome
    }
    #expect(held)
  }

  private actor Seen {
    var outcome = AttackOutcome.through("nothing was tried")
    func set(_ outcome: AttackOutcome) { self.outcome = outcome }
  }
}
