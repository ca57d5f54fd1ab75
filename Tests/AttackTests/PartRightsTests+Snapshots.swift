import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers
import TestSupport

extension PartRightsTests.World {
  /// One is taken of claim `now`, a claim is made from it, and another one is let have it.
  func snapshots() async throws {
    func take(_ name: String, _ source: JSONValue) async throws -> KubernetesObject {
      var snapshot = KubernetesObject(.volumeSnapshots, namespace: "plain", name: name)
      snapshot.spec = ["source": source]
      try await root.create(snapshot, as: .volumeSnapshots)
      try await eventually("\(name) is ready") {
        try await root.get(.volumeSnapshots, namespace: "plain", name: name).status["readyToUse"] == true
      }
      return try await root.get(.volumeSnapshots, namespace: "plain", name: name)
    }
    let first = try await take("first", ["persistentVolumeClaimName": "now"])
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "plain", name: "restored")
    claim.spec = [
      "storageClassName": "now", "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]],
      "dataSource": ["apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "first"],
    ]
    try await root.create(claim, as: .persistentVolumeClaims)
    try await eventually("a claim is made from it") {
      try await root.get(.persistentVolumeClaims, namespace: "plain", name: "restored").status["phase"] == "Bound"
    }
    var content = KubernetesObject(
      .volumeSnapshotContents, name: "by-hand", labels: [SnapshotBinding.nodeLabel: PartRightsTests.node])
    content.spec = [
      "driver": .string(StorageAccess.driverName), "deletionPolicy": "Retain",
      "source": ["snapshotHandle": .string("snapshot-\(first.uid)")],
      "volumeSnapshotRef": ["namespace": "plain", "name": "second"],
    ]
    try await root.create(content, as: .volumeSnapshotContents)
    _ = try await take("second", ["volumeSnapshotContentName": "by-hand"])
    try await root.delete(.persistentVolumeClaims, namespace: "plain", name: "restored")
    for name in ["second", "first"] {
      try await root.delete(.volumeSnapshots, namespace: "plain", name: name)
      try await eventually("\(name) is gone") {
        try await root.getIfPresent(.volumeSnapshots, namespace: "plain", name: name) == nil
      }
    }
    try await root.delete(.volumeSnapshotContents, name: "by-hand")
    try await eventually("nothing of it is left") {
      let volumes = try await root.list(.persistentVolumes).items.filter { $0.name.hasPrefix("pvc-") }
      let contents = try await root.list(.volumeSnapshotContents).items
      return contents.isEmpty && volumes.count == 1
    }
  }
}
