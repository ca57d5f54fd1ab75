import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import TestSupport
import Testing

/// Snapshots, restores and clones by claims, against the real API server, driver and pool.
@Suite("Snapshots of claims")
struct SnapshotTests {
  static func claim(
    _ name: String, _ size: String = "512Mi", in namespace: String = "default", node: String? = "node-1",
    from source: JSONValue = nil
  ) -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: namespace, name: name)
    if let node { claim.annotations = ["volume.kubernetes.io/selected-node": node] }
    claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": .string(size)]]]
    if !source.isNull { claim.spec["dataSource"] = source }
    return claim
  }

  static func snapshot(_ name: String, in namespace: String = "default", of claim: String) -> KubernetesObject {
    var snapshot = KubernetesObject(.volumeSnapshots, namespace: namespace, name: name)
    snapshot.spec = ["source": ["persistentVolumeClaimName": .string(claim)]]
    return snapshot
  }

  static func from(snapshot name: String) -> JSONValue {
    ["apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": .string(name)]
  }

  static func from(claim name: String) -> JSONValue { ["kind": "PersistentVolumeClaim", "name": .string(name)] }

  static func addClass(_ client: KubernetesClient, policy: String = "Delete") async throws {
    var snapshotClass = KubernetesObject(.volumeSnapshotClasses, name: "local")
    snapshotClass.annotations = [SnapshotBinding.defaultClass: "true"]
    snapshotClass["driver"] = "local.nagaya.dev"
    snapshotClass["deletionPolicy"] = .string(policy)
    try await client.create(snapshotClass, as: .volumeSnapshotClasses)
  }

  static func bound(_ name: String, in namespace: String = "default", _ client: KubernetesClient) async throws
    -> KubernetesObject
  {
    try await eventually("\(name) is bound") {
      try await client.get(.persistentVolumeClaims, namespace: namespace, name: name).status["phase"] == "Bound"
    }
    return try await client.get(.persistentVolumeClaims, namespace: namespace, name: name)
  }

  static func ready(_ name: String, in namespace: String = "default", _ client: KubernetesClient) async throws
    -> KubernetesObject
  {
    try await eventually("\(name) is ready") {
      try await client.get(.volumeSnapshots, namespace: namespace, name: name).status["readyToUse"] == true
    }
    return try await client.get(.volumeSnapshots, namespace: namespace, name: name)
  }

  static func gone(_ resource: Resource, _ name: String, _ client: KubernetesClient) async throws {
    try await eventually("\(resource.kind) \(name) is gone") {
      try await client.getIfPresent(resource, namespace: "default", name: name) == nil
    }
  }

  static func said(_ words: String, _ client: KubernetesClient) async throws {
    try await eventually("an event says: \(words)") {
      try await client.list(.events).items.contains { $0["message"].string?.contains(words) == true }
    }
  }

  @Test func `a claim is kept, restored larger, cloned, and nothing is left when all is deleted`() async throws {
    try await ProvisioningTests().withStorage { client in
      // All at once, in an order in which nothing is there yet.
      try await client.create(Self.claim("clone", "1Gi", from: Self.from(claim: "data")), as: .persistentVolumeClaims)
      try await client.create(
        Self.claim("restored", "1Gi", node: nil, from: Self.from(snapshot: "snap")), as: .persistentVolumeClaims)
      try await client.create(Self.snapshot("snap", of: "data"), as: .volumeSnapshots)
      try await Self.said("persistentvolumeclaim \"data\" not found", client)
      try await client.create(Self.claim("data"), as: .persistentVolumeClaims)
      let data = try await Self.bound("data", client)
      try await Self.said("no default VolumeSnapshotClass of driver local.nagaya.dev exists", client)
      try await Self.addClass(client)
      let snapshot = try await Self.ready("snap", client)
      #expect(snapshot.status["restoreSize"] == "512Mi" && snapshot.status["error"].isNull)
      #expect(snapshot.status["creationTime"].string.flatMap(Timestamp.init) != nil)
      #expect(snapshot.spec["volumeSnapshotClassName"] == "local")
      let content = try await client.get(
        .volumeSnapshotContents, name: snapshot.status["boundVolumeSnapshotContentName"].string ?? "")
      #expect(content.name == "snapcontent-\(snapshot.uid)")
      #expect(content.spec["source"]["volumeHandle"].string == data.spec["volumeName"].string)
      #expect(content.status["snapshotHandle"].string == "snapshot-\(snapshot.uid)")
      #expect(content.labels["snapshot.storage.kubernetes.io/managed-by"] == "node-1")
      #expect(content.spec["sourceVolumeMode"] == "Filesystem" && content.status["restoreSize"].int == 512 << 20)
      // Who schedules goes by what the cluster says; nobody does so here.
      for name in ["clone", "restored"] {
        try await eventually("\(name) names the node that has its source") {
          try await client.get(.persistentVolumeClaims, namespace: "default", name: name)
            .annotations[ClaimWishes.sourceNode] == "node-1"
        }
        try await client.patch(
          .persistentVolumeClaims, namespace: "default", name: name,
          ["metadata": ["annotations": ["volume.kubernetes.io/selected-node": "node-1"]]])
        #expect(try await Self.bound(name, client).status["capacity"]["storage"] == "1Gi")
      }
      // The claim goes; what was made from it stays.
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "data")
      try await Self.gone(.persistentVolumeClaims, "data", client)
      try await client.create(
        Self.claim("again", from: Self.from(snapshot: "snap")), as: .persistentVolumeClaims)
      _ = try await Self.bound("again", client)
      try await client.delete(.volumeSnapshots, namespace: "default", name: "snap")
      try await Self.gone(.volumeSnapshots, "snap", client)
      #expect(try await client.list(.volumeSnapshotContents).items.isEmpty)
      for name in ["clone", "restored", "again"] {
        try await client.delete(.persistentVolumeClaims, namespace: "default", name: name)
      }
      try await eventually("all volumes are gone, and all their space is back") {
        let capacity = try await client.getIfPresent(
          .csiStorageCapacities, namespace: "kube-system", name: "node-1-nagaya-local")
        let volumes = try await client.list(.persistentVolumes).items
        return volumes.isEmpty && capacity?["capacity"] == "4Gi"
      }
    }
  }

  static let misfits: [(what: String, size: String, source: JSONValue, change: JSONValue, words: String)] = [
    ("smaller than the snapshot", "256Mi", from(snapshot: "snap"), [:], "it has 512Mi, the claim asks for 256Mi"),
    ("smaller than the claim", "256Mi", from(claim: "data"), [:], "it has 512Mi, the claim asks for 256Mi"),
    ("raw", "512Mi", from(snapshot: "snap"), ["volumeMode": "Block"], "volumeMode Filesystem, the claim says Block"),
    ("a clone that is raw", "512Mi", from(claim: "data"), ["volumeMode": "Block"], "volumeMode is Filesystem"),
    ("itself", "512Mi", from(claim: "misfit"), [:], "that is the claim itself"),
    ("unbound", "512Mi", from(claim: "waiting"), [:], "it is not bound to a volume yet"),
    ("not ready", "512Mi", from(snapshot: "early"), [:], "is not bound to a VolumeSnapshotContent yet"),
    (
      "of another file system", "512Mi", from(snapshot: "snap"), ["storageClassName": "ext4"],
      "that holds xfs, ext4 is asked for"
    ),
  ]

  @Test("what can't be made from a source says so, and nothing is made", arguments: misfits)
  func misfit(_ misfit: (what: String, size: String, source: JSONValue, change: JSONValue, words: String)) async throws
  {
    try await ProvisioningTests().withStorage { client in
      try await Self.addClass(client)
      var ext4 = KubernetesObject(.storageClasses, name: "ext4")
      ext4["provisioner"] = "local.nagaya.dev"
      ext4["volumeBindingMode"] = "WaitForFirstConsumer"
      ext4["parameters"] = ["csi.storage.k8s.io/fstype": "ext4"]
      try await client.create(ext4, as: .storageClasses)
      try await client.create(Self.claim("data"), as: .persistentVolumeClaims)
      try await client.create(Self.claim("waiting", node: nil), as: .persistentVolumeClaims)
      _ = try await Self.bound("data", client)
      try await client.create(Self.snapshot("early", of: "waiting"), as: .volumeSnapshots)
      try await client.create(Self.snapshot("snap", of: "data"), as: .volumeSnapshots)
      _ = try await Self.ready("snap", client)
      var claim = Self.claim("misfit", misfit.size, from: misfit.source)
      for (name, value) in misfit.change.members { claim.spec[name] = value }
      try await client.create(claim, as: .persistentVolumeClaims)
      try await Self.said(misfit.words, client)
      #expect(try await client.list(.persistentVolumes).items.count == 1)
    }
  }

  @Test func `a snapshot that is kept by its policy is there for the next one that an administrator lets have it`()
    async throws
  {
    try await ProvisioningTests().withStorage { client in
      try await Self.addClass(client, policy: "Retain")
      try await client.create(Self.claim("data"), as: .persistentVolumeClaims)
      _ = try await Self.bound("data", client)
      try await client.create(Self.snapshot("first", of: "data"), as: .volumeSnapshots)
      let first = try await Self.ready("first", client)
      let name = first.status["boundVolumeSnapshotContentName"].string ?? ""
      try await client.delete(.volumeSnapshots, namespace: "default", name: "first")
      try await Self.gone(.volumeSnapshots, "first", client)
      let kept = try await client.get(.volumeSnapshotContents, name: name)
      #expect(!kept.isBeingDeleted)
      // Of the same name, and yet another one.
      var thief = KubernetesObject(.volumeSnapshots, namespace: "default", name: "first")
      thief.spec = ["source": ["volumeSnapshotContentName": .string(name)]]
      try await client.create(thief, as: .volumeSnapshots)
      try await Self.said("no VolumeSnapshotContent \"\(name)\" is kept for it", client)

      var byHand = KubernetesObject(
        .volumeSnapshotContents, name: "by-hand", labels: [SnapshotBinding.nodeLabel: "node-1"])
      byHand.spec = [
        "driver": "local.nagaya.dev", "deletionPolicy": "Delete",
        "source": ["snapshotHandle": kept.status["snapshotHandle"]],
        "volumeSnapshotRef": ["namespace": "default", "name": "second"],
      ]
      try await client.create(byHand, as: .volumeSnapshotContents)
      var second = KubernetesObject(.volumeSnapshots, namespace: "default", name: "second")
      second.spec = ["source": ["volumeSnapshotContentName": "by-hand"]]
      try await client.create(second, as: .volumeSnapshots)
      #expect(try await Self.ready("second", client).status["restoreSize"] == "512Mi")
      try await client.create(
        Self.claim("restored", from: Self.from(snapshot: "second")), as: .persistentVolumeClaims)
      _ = try await Self.bound("restored", client)
      // Deleted under its snapshot, it stays until that goes.
      try await client.delete(.volumeSnapshotContents, name: "by-hand")
      try await client.create(Self.claim("more"), as: .persistentVolumeClaims)
      _ = try await Self.bound("more", client)
      #expect(try await client.get(.volumeSnapshotContents, name: "by-hand").isBeingDeleted)
      try await client.delete(.volumeSnapshots, namespace: "default", name: "second")
      try await Self.gone(.volumeSnapshots, "second", client)
      #expect(try await client.getIfPresent(.volumeSnapshotContents, name: "by-hand") == nil)
    }
  }

  @Test func `what is being read stays until it has been`() async throws {
    try await ProvisioningTests().withStorage { client in
      try await Self.addClass(client)
      try await client.create(Self.claim("data"), as: .persistentVolumeClaims)
      _ = try await Self.bound("data", client)
      try await client.create(Self.snapshot("snap", of: "data"), as: .volumeSnapshots)
      _ = try await Self.ready("snap", client)
      // As if a node that is slow, or away, were at it.
      try await client.create(KubernetesObject(.nodes, name: "node-2"), as: .nodes)
      for (name, source) in [("restored", Self.from(snapshot: "snap")), ("clone", Self.from(claim: "data"))] {
        var claim = Self.claim(name, node: "node-2", from: source)
        claim.finalizers = ["local.nagaya.dev/making-volume"]
        claim.annotations["local.nagaya.dev/making-on"] = "node-2"
        try await client.create(claim, as: .persistentVolumeClaims)
      }
      try await client.delete(.volumeSnapshots, namespace: "default", name: "snap")
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "data")
      try await Self.said("persistentvolumeclaim \"restored\" is being made from it; it goes after that", client)
      #expect(try await client.list(.volumeSnapshotContents).items.allSatisfy { !$0.isBeingDeleted })
      #expect(try await client.get(.persistentVolumeClaims, namespace: "default", name: "data").isBeingDeleted)
      // A node that is lost reads nothing any more.
      var lost = Self.claim("lost", node: "gone", from: Self.from(snapshot: "snap"))
      lost.finalizers = ["local.nagaya.dev/making-volume"]
      lost.annotations["local.nagaya.dev/making-on"] = "gone"
      try await client.create(lost, as: .persistentVolumeClaims)
      try await eventually("its claim is let go") {
        let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "lost")
        return !claim.finalizers.contains("local.nagaya.dev/making-volume")
      }
      for name in ["restored", "clone"] {
        try await client.patch(
          .persistentVolumeClaims, namespace: "default", name: name, ["metadata": ["finalizers": nil]])
      }
      try await Self.gone(.volumeSnapshots, "snap", client)
      try await Self.gone(.persistentVolumeClaims, "data", client)
      #expect(try await client.list(.volumeSnapshotContents).items.isEmpty)
    }
  }
}
