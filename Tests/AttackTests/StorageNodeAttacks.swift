import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers
import TestSupport
import Testing

@testable import nagaya

/// The storage of a node that was taken over, and what its identity opens then: volumes and claims of other nodes are not its own.
@Suite struct StorageNodeAttacks {
  struct Try: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let target: Attack.Target
    let run: @Sendable (KubernetesClient) async throws -> Void

    init(_ way: String, _ target: Attack.Target, _ run: @escaping @Sendable (KubernetesClient) async throws -> Void) {
      (testDescription, self.target, self.run) = (way, target, run)
    }
  }

  private static func volume(_ name: String, on node: String, label: String? = nil, driver: String? = nil)
    -> KubernetesObject
  {
    var volume = KubernetesObject(.persistentVolumes, name: name, labels: [StorageAccess.nodeLabel: label ?? node])
    volume.finalizers = ["kubernetes.io/pv-protection"]
    volume.spec = [
      "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Delete",
      "csi": ["driver": .string(driver ?? StorageAccess.driverName), "volumeHandle": .string(name)],
    ]
    volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
      ["matchExpressions": [["key": .string(StorageAccess.nodeLabel), "operator": "In", "values": [.string(node)]]]]
    ]
    return volume
  }

  private static func claim(_ name: String, on node: String) -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: AttackStage.theirs, name: name)
    claim.annotations = [StorageAccess.selectedNode: node]
    claim.spec = [
      "accessModes": ["ReadWriteOnce"], "storageClassName": "c", "resources": ["requests": ["storage": "1Gi"]],
    ]
    return claim
  }

  private static func capacity(_ name: String, of node: String) -> KubernetesObject {
    var capacity = KubernetesObject(.csiStorageCapacities, namespace: "kube-system", name: name)
    capacity["storageClassName"] = "c"
    capacity["nodeTopology"] = ["matchLabels": [StorageAccess.nodeLabel: .string(node)]]
    capacity["capacity"] = "1Ti"
    return capacity
  }

  private static func change(
    _ client: KubernetesClient, claim name: String, _ change: (inout KubernetesObject) -> Void
  ) async throws {
    var claim = try await client.get(.persistentVolumeClaims, namespace: AttackStage.theirs, name: name)
    change(&claim)
    try await client.update(claim, as: .persistentVolumeClaims)
  }

  private static func content(_ name: String, on node: String) -> KubernetesObject {
    var content = KubernetesObject(.volumeSnapshotContents, name: name, labels: [SnapshotBinding.nodeLabel: node])
    content.finalizers = [SnapshotBinding.contentFinalizer]
    content.spec = [
      "driver": .string(StorageAccess.driverName), "deletionPolicy": "Delete", "source": ["volumeHandle": "v"],
      "volumeSnapshotRef": ["namespace": .string(AttackStage.theirs), "name": "s"],
    ]
    return content
  }

  private static func change(
    _ client: KubernetesClient, content name: String, _ change: (inout KubernetesObject) -> Void
  ) async throws {
    var content = try await client.get(.volumeSnapshotContents, name: name)
    change(&content)
    try await client.update(content, as: .volumeSnapshotContents)
  }

  private static func move(_ name: String, from source: String, to target: String) -> KubernetesObject {
    var move = KubernetesObject(.volumeMoves, name: name)
    move.spec = ["volumeName": "v", "targetNode": .string(target)]
    move.status = ["phase": "Switching", "sourceNode": .string(source), "volumeHandle": "v"]
    return move
  }

  private static func report(_ client: KubernetesClient, _ move: String, _ status: JSONValue) async throws {
    try await client.patch(.volumeMoves, name: move, subresource: "status", ["status": status])
  }

  static let tries: [Try] = [
    .init("says that a move between two others is verified", .otherVolumes) {
      try await report($0, "m2", ["source": ["state": "Verified"]])
    },
    .init("has the volume of a move from it to another sent elsewhere", .otherVolumes) {
      try await report($0, "m1", ["target": ["address": "10.6.6.6:1", "fingerprint": "00"]])
    },
    .init("has itself sent the volume of another by being its source", .otherVolumes) {
      try await report($0, "m2", ["sourceNode": "n1"])
    },
    .init("names another volume in a move of its own", .otherVolumes) {
      try await report($0, "m1", ["volumeHandle": "other"])
    },
    .init("takes a move back into an earlier phase", .otherVolumes) {
      try await report($0, "m1", ["phase": "Copying"])
    },
    .init("begins a move", .otherVolumes) {
      try await $0.create(move("m3", from: "n2", to: "n1"), as: .volumeMoves)
    },
    .init("lets go of a snapshot of another node", .otherVolumes) {
      try await change($0, content: "s2") { $0.finalizers = [] }
    },
    .init("labels another node's snapshot as its own", .otherVolumes) {
      try await change($0, content: "s2") { $0.labels[SnapshotBinding.nodeLabel] = "n1" }
    },
    .init("says that another node's snapshot is ready, by a name of its own", .otherVolumes) {
      var content = try await $0.get(.volumeSnapshotContents, name: "s2")
      content.status = ["readyToUse": true, "snapshotHandle": "snapshot-of-another"]
      try await $0.updateStatus(content, as: .volumeSnapshotContents)
    },
    .init("gives its own snapshot to somebody else's VolumeSnapshot", .otherVolumes) {
      try await change($0, content: "s1") { $0.spec["volumeSnapshotRef"]["uid"] = "other" }
    },
    .init("marks its own snapshot as going", .otherVolumes) {
      try await change($0, content: "s1") { $0.annotations[SnapshotBinding.beingDeleted] = "yes" }
    },
    .init("deletes a volume of another node", .otherVolumes) { try await $0.delete(.persistentVolumes, name: "v2") },
    .init("lets go of a volume of another node", .otherVolumes) {
      var volume = try await $0.get(.persistentVolumes, name: "v2")
      volume.finalizers = []
      try await $0.update(volume, as: .persistentVolumes)
    },
    .init("labels another node's volume as its own", .otherVolumes) {
      try await $0.patch(
        .persistentVolumes, name: "v2", ["metadata": ["labels": [StorageAccess.nodeLabel: "n1"]]])
    },
    .init("says that another node's volume has grown", .otherVolumes) {
      try await $0.patch(.persistentVolumes, name: "v2", ["spec": ["capacity": ["storage": "2Gi"]]])
    },
    .init("gives its own volume to another claim", .otherVolumes) {
      try await $0.patch(
        .persistentVolumes, name: "v1",
        ["spec": ["claimRef": ["namespace": .string(AttackStage.theirs), "name": "given2"]]])
    },
    .init("points its own volume at other bytes", .otherVolumes) {
      try await $0.patch(.persistentVolumes, name: "v1", ["spec": ["csi": ["volumeHandle": "v2"]]])
    },
    .init("makes a volume of another node", .otherVolumes) {
      try await $0.create(volume("made", on: "n2"), as: .persistentVolumes)
    },
    .init("makes a volume that is labelled as its own and lies elsewhere", .otherVolumes) {
      try await $0.create(volume("made", on: "n2", label: "n1"), as: .persistentVolumes)
    },
    .init("makes a volume of another driver", .otherVolumes) {
      try await $0.create(volume("made", on: "n1", driver: "other.example"), as: .persistentVolumes)
    },
    .init("holds a claim that was given to another node", .otherVolumes) {
      try await change($0, claim: "given2") {
        $0.finalizers.append(StorageAccess.makingFinalizer)
        $0.annotations[StorageAccess.makingNode] = "n1"
      }
    },
    .init("takes a claim away from another node", .otherVolumes) {
      try await change($0, claim: "given2") { $0.annotations[StorageAccess.selectedNode] = "n1" }
    },
    .init("gives a claim of its own to another node", .otherVolumes) {
      try await change($0, claim: "given1") { $0.annotations[StorageAccess.selectedNode] = "n2" }
    },
    .init("lets go of a claim that another node holds", .otherVolumes) {
      try await change($0, claim: "held2") {
        $0.finalizers.removeAll { $0 == StorageAccess.makingFinalizer }
        $0.annotations[StorageAccess.makingNode] = nil
      }
    },
    .init("takes the protection off a claim", .otherVolumes) {
      try await change($0, claim: "given1") { $0.finalizers = [] }
    },
    .init("changes what a claim asks for", .otherVolumes) {
      try await change($0, claim: "given1") { $0.spec["volumeName"] = "v2" }
    },
    .init("annotates a claim that was given to it", .otherData) {
      try await change($0, claim: "given1") { $0.annotations["pv.kubernetes.io/bind-completed"] = "yes" }
    },
    .init("says how much is there of a claim elsewhere", .otherData) {
      var claim = try await $0.get(.persistentVolumeClaims, namespace: AttackStage.theirs, name: "given2")
      claim.status["capacity"]["storage"] = "1Ti"
      try await $0.updateStatus(claim, as: .persistentVolumeClaims)
    },
    .init("says that a claim is bound", .otherData) {
      var claim = try await $0.get(.persistentVolumeClaims, namespace: AttackStage.theirs, name: "given1")
      claim.status["phase"] = "Bound"
      try await $0.updateStatus(claim, as: .persistentVolumeClaims)
    },
    .init("enters a driver on another node", .platformRights) {
      try await $0.create(KubernetesObject(.csiNodes, name: "n2"), as: .csiNodes)
    },
    .init("publishes room on another node", .platformRights) {
      try await $0.create(capacity("more", of: "n2"), as: .csiStorageCapacities)
    },
    .init("takes back another node's figures", .platformRights) {
      try await $0.delete(.csiStorageCapacities, namespace: "kube-system", name: "of2")
    },
    .init("tells of another node's pool", .platformRights) {
      var pool = KubernetesObject(.volumePools, name: "n2-default")
      pool.spec = ["nodeName": "n2", "pool": "default", "backend": "file", "path": "/x"]
      try await $0.create(pool, as: .volumePools)
    },
    .init("reads secrets", .otherSecrets) { _ = try await $0.list(.secrets, namespace: AttackStage.theirs) },
    .init("makes a pod", .platformRights) {
      var pod = KubernetesObject(.pods, namespace: AttackStage.theirs, name: "mine")
      pod.spec["containers"] = [["name": "c", "image": "i"]]
      try await $0.create(pod, as: .pods)
    },
  ]

  @Test(arguments: tries) func `a node's storage reaches what is its own, and nothing else`(row: Try) async throws {
    try await AttackStage.with { stage in
      try await stage.root.create(KubernetesObject(.namespaces, name: "kube-system"), as: .namespaces)
      for node in ["n1", "n2"] {
        try await stage.root.create(Self.volume("v\(node.dropFirst())", on: node), as: .persistentVolumes)
        var given = Self.claim("given\(node.dropFirst())", on: node)
        given.finalizers = ["kubernetes.io/pvc-protection"]
        try await stage.root.create(given, as: .persistentVolumeClaims)
        try await stage.root.create(
          Self.content("s\(node.dropFirst())", on: node), as: .volumeSnapshotContents)
        try await stage.root.create(Self.capacity("of\(node.dropFirst())", of: node), as: .csiStorageCapacities)
      }
      for move in [Self.move("m1", from: "n1", to: "n2"), Self.move("m2", from: "n2", to: "n3")] {
        var made = try await stage.root.create(move, as: .volumeMoves)
        made.status = move.status
        try await stage.root.updateStatus(made, as: .volumeMoves)
      }
      var held = Self.claim("held2", on: "n2")
      held.finalizers = [StorageAccess.makingFinalizer]
      held.annotations[StorageAccess.makingNode] = "n2"
      try await stage.root.create(held, as: .persistentVolumeClaims)
      let storage = stage.server.client(as: PartIdentity.storage("n1").user)
      let isHeld = try await attempt(Attack(.component, "the storage of a node \(row.testDescription)", on: row.target))
      {
        do {
          try await row.run(storage)
          return .through("it was done")
        } catch let status as APIStatus where [.forbidden, .invalid].contains(status.reason) {
          return .held(status.message)
        }
      }
      #expect(isHeld)
      // Not a wall against everybody: what it has to do, it does.
      try await Self.change(storage, claim: "given1") {
        $0.finalizers.append(StorageAccess.makingFinalizer)
        $0.annotations[StorageAccess.makingNode] = "n1"
      }
      try await storage.create(Self.volume("pvc-1", on: "n1"), as: .persistentVolumes)
      try await storage.patch(.persistentVolumes, name: "v1", ["spec": ["capacity": ["storage": "2Gi"]]])
      try await Self.change(storage, claim: "given1") {
        $0.finalizers.removeAll { $0 == StorageAccess.makingFinalizer }
        $0.annotations[StorageAccess.makingNode] = nil
        $0.annotations[StorageAccess.selectedNode] = nil
      }
      try await storage.delete(.persistentVolumes, name: "v1")
      try await Self.report(storage, "m1", ["source": ["fingerprint": "00"]])
      var own = try await storage.get(.volumeSnapshotContents, name: "s1")
      own.status = ["readyToUse": true, "snapshotHandle": "snapshot-1"]
      try await storage.updateStatus(own, as: .volumeSnapshotContents)
      try await stage.root.delete(.volumeSnapshotContents, name: "s1")
      try await Self.change(storage, content: "s1") { $0.finalizers = [] }
      #expect(try await stage.root.getIfPresent(.volumeSnapshotContents, name: "s1") == nil)
    }
  }
}
