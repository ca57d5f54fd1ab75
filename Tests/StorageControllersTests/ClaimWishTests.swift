import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// Claims that ask for more than a local volume is, or that were given to what is not there.
@Suite("Claims mean what they say")
struct ClaimWishTests {
  static let wishes: [(what: String, spec: JSONValue, word: String)] = [
    ("many writers", ["accessModes": ["ReadWriteMany"]], "access mode ReadWriteMany is not offered"),
    ("many readers", ["accessModes": ["ReadOnlyMany"]], "access mode ReadOnlyMany is not offered"),
    ("one writer or many", ["accessModes": ["ReadWriteOnce", "ReadWriteMany"]], "access mode ReadWriteMany"),
    (
      "a snapshot that is not there",
      [
        "dataSource": [
          "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "yesterday",
        ]
      ], "volumesnapshot \"yesterday\": it does not exist (yet)"
    ),
    (
      "another claim that is not there", ["dataSource": ["kind": "PersistentVolumeClaim", "name": "original"]],
      "persistentvolumeclaim \"original\": it does not exist (yet)"
    ),
    (
      "another namespace's claim",
      ["dataSourceRef": ["kind": "PersistentVolumeClaim", "name": "data", "namespace": "kube-system"]],
      "\"data\" is in namespace \"kube-system\""
    ),
    (
      "a snapshot of no group", ["dataSource": ["kind": "VolumeSnapshot", "name": "yesterday"]],
      "VolumeSnapshot \"yesterday\""
    ),
    (
      "two things",
      [
        "dataSource": ["kind": "PersistentVolumeClaim", "name": "one"],
        "dataSourceRef": ["kind": "PersistentVolumeClaim", "name": "two"],
      ], "dataSource and dataSourceRef differ"
    ),
    (
      "a populator", ["dataSourceRef": ["apiGroup": "example.org", "kind": "Hello", "name": "world"]],
      "Hello \"world\""
    ),
    ("labels", ["selector": ["matchLabels": ["tier": "fast"]]], "a selector chooses among volumes that exist"),
  ]

  /// With a node that was chosen by a scheduler that knows nothing of it, and without.
  @Test("what a local volume can't be is said at once, and nothing is made", arguments: wishes, [nil, "node-1"])
  func unmet(wish: (what: String, spec: JSONValue, word: String), node: String?) async throws {
    try await ProvisioningTests().withStorage { client in
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "wish")
      if let node { claim.annotations = ["volume.kubernetes.io/selected-node": node] }
      claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
      for (name, value) in wish.spec.members { claim.spec[name] = value }
      try await client.create(claim, as: .persistentVolumeClaims)
      try await eventually("the event of \(wish.what)") {
        try await client.list(.events, namespace: "default").items.contains {
          $0["reason"] == "ProvisioningFailed" && $0["message"].string?.contains(wish.word) == true
        }
      }
      // One that can be had comes afterwards, and is made.
      var other = claim
      other.metadata = ["namespace": "default", "name": "plain"]
      other.annotations = ["volume.kubernetes.io/selected-node": "node-1"]
      other.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
      try await client.create(other, as: .persistentVolumeClaims)
      try await eventually("the other is bound") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "plain").status["phase"] == "Bound"
      }
      #expect(try await client.list(.persistentVolumes).items.count == 1)
      let waiting = try await client.get(.persistentVolumeClaims, namespace: "default", name: "wish")
      #expect(waiting.status["phase"] == "Pending" && !waiting.finalizers.contains("local.nagaya.dev/making-volume"))
    }
  }

  @Test("a claim that was given to a node which is not there finds another", arguments: [false, true])
  func lostNode(hasBegun: Bool) async throws {
    try await ProvisioningTests().withStorage { client in
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "stale")
      claim.annotations = ["volume.kubernetes.io/selected-node": "gone"]
      if hasBegun {
        claim.annotations["local.nagaya.dev/making-on"] = "gone"
        claim.finalizers = ["local.nagaya.dev/making-volume"]
      }
      claim.spec = ["accessModes": ["ReadWriteOncePod"], "resources": ["requests": ["storage": "1Gi"]]]
      try await client.create(claim, as: .persistentVolumeClaims)
      try await eventually("the node is taken back") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "stale").annotations.isEmpty
      }
      try await eventually("the event") {
        try await client.list(.events, namespace: "default").items.contains {
          $0["reason"] == "NodeLost" && $0["message"].string?.contains("node gone") == true
        }
      }
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "stale",
        ["metadata": ["annotations": ["volume.kubernetes.io/selected-node": "node-1"]]])
      try await eventually("it is bound") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "stale").status["phase"] == "Bound"
      }
    }
  }

  @Test("a claim grows where its class consents, and is told where it does not")
  func growth() async throws {
    try await ProvisioningTests().withStorage { client in
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "data")
      claim.annotations = ["volume.kubernetes.io/selected-node": "node-1"]
      claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
      try await client.create(claim, as: .persistentVolumeClaims)
      try await eventually("bound") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "data").status["phase"] == "Bound"
      }
      func grow(to size: String) async throws {
        try await client.patch(
          .persistentVolumeClaims, namespace: "default", name: "data",
          ["spec": ["resources": ["requests": ["storage": .string(size)]]]])
      }
      try await client.patch(.storageClasses, name: "nagaya-local", ["allowVolumeExpansion": false])
      let refusal = await #expect(throws: APIStatus.self) { try await grow(to: "2Gi") }
      #expect(refusal?.reason == .forbidden)
      #expect(refusal?.message.contains("the storageclass that provisions the pvc must support resize") == true)
      #expect(refusal?.message.contains("nagaya-local") == true)
      try await client.patch(.storageClasses, name: "nagaya-local", ["allowVolumeExpansion": true])
      try await grow(to: "2Gi")
      try await eventually("it grows") {
        let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "data")
        let volume = try await client.get(.persistentVolumes, name: claim.spec["volumeName"].string ?? "")
        return volume.spec["capacity"]["storage"] == "2Gi"
      }
    }
  }
}
