import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing
import VolumePools

/// Three nodes, each with its own driver and pool, on one API server: each does what is its own, and nothing else.
@Suite struct SeveralNodesTests {
  private static let nodes = ["a", "b", "c"]
  private static let made = "local.nagaya.dev/making-volume"

  private typealias Node = StorageNode

  private func with(_ body: @Sendable (KubernetesClient, [Node]) async throws -> Void) async throws {
    try await StorageNode.with(Self.nodes, body)
  }

  private func claim(_ name: String, _ size: String = "512Mi", class storageClass: String, node: String? = nil)
    -> KubernetesObject
  { StorageNode.claim(name, size, class: storageClass, node: node) }

  private func bound(_ name: String, _ client: KubernetesClient) async throws -> KubernetesObject {
    try await StorageNode.bound(name, client)
  }

  @Test func `claims that wait for no pod are made once each, where most is left`() async throws {
    try await with { client, nodes in
      try await nodes[0].during {
        try await nodes[1].during {
          try await nodes[2].during {
            try await eventually("each node publishes for each class") {
              try await client.list(.csiStorageCapacities).items.count == 6
            }
            for number in 0..<12 {
              try await client.create(claim("c\(number)", class: "now"), as: .persistentVolumeClaims)
            }
            var volumes: Set<String> = []
            for number in 0..<12 {
              volumes.insert(try await bound("c\(number)", client).spec["volumeName"].string ?? "")
            }
            let kept = nodes.map(\.volumes)
            #expect(kept.map(\.count).reduce(0, +) == 12, "each is kept by one node: \(kept)")
            #expect(kept.reduce(into: Set()) { $0.formUnion($1) } == volumes)
            for volume in try await client.list(.persistentVolumes).items {
              let node = volume.labels["topology.local.nagaya.dev/node"] ?? ""
              #expect(nodes.first { $0.name == node }?.volumes.contains(volume.name) == true)
            }
            try await eventually("nothing holds the claims any more") {
              try await client.list(.persistentVolumeClaims).items.allSatisfy { !$0.finalizers.contains(Self.made) }
            }
          }
        }
      }
    }
  }

  @Test func `a volume grows and goes by its own node, and waits while that one is away`() async throws {
    try await with { client, nodes in
      try await nodes[0].during {
        try await nodes[1].during {
          for node in ["a", "b"] {
            try await client.create(claim(node, class: "waits", node: node), as: .persistentVolumeClaims)
            _ = try await bound(node, client)
          }
        }
        // Node b is away: nobody else touches what lies there.
        #expect(nodes[1].volumes.count == 1)
        for name in ["a", "b"] {
          try await client.patch(
            .persistentVolumeClaims, namespace: "default", name: name,
            ["spec": ["resources": ["requests": ["storage": "1Gi"]]]])
        }
        func size(_ name: String) async throws -> String? {
          let volume = try await bound(name, client).spec["volumeName"].string ?? ""
          return try await client.get(.persistentVolumes, name: volume).spec["capacity"]["storage"].string
        }
        try await eventually("the volume on a has grown") { try await size("a") == "1Gi" }
        #expect(try await size("b") == "512Mi")
        try await client.delete(.persistentVolumeClaims, namespace: "default", name: "b")
        try await eventually("it is released") {
          try await client.list(.persistentVolumes).items.contains { $0.status["phase"] == "Released" }
        }
        // All that a does for its own end comes after it could have touched b's.
        try await client.delete(.persistentVolumeClaims, namespace: "default", name: "a")
        try await eventually("a's is gone") { nodes[0].volumes.isEmpty }
        #expect(nodes[1].volumes.count == 1)
        try await nodes[1].during {
          try await eventually("its node is back and deletes it") {
            let left = try await client.list(.persistentVolumes).items
            return left.isEmpty && nodes[1].volumes.isEmpty
          }
        }
      }
    }
  }

  @Test func `what was begun on a node is taken back when the claim goes elsewhere, or goes`() async throws {
    try await with { client, nodes in
      // As if node a had ended after its driver had made the volumes, and before their objects were written.
      for name in ["moved", "deleted"] {
        var begun = claim(name, class: "waits", node: "a")
        begun.finalizers = [Self.made]
        begun.annotations["local.nagaya.dev/making-on"] = "a"
        let stored = try await client.create(begun, as: .persistentVolumeClaims)
        try FileManager.default.createDirectory(atPath: "\(nodes[0].directory)/pool", withIntermediateDirectories: true)
        let pool = try await FilePool.open(
          .init(name: "default", directory: "\(nodes[0].directory)/pool", limitBytes: 4 << 30, reservedBytes: 0),
          logger: nodes[0].logger)
        _ = try await pool.create(
          VolumeRequest(
            name: "pvc-\(stored.uid)", bytes: 512 << 20, fileSystem: .xfs,
            parameters: ["local.nagaya.dev/pool": "default"]))
      }
      #expect(nodes[0].volumes.count == 2)
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "moved",
        ["metadata": ["annotations": ["volume.kubernetes.io/selected-node": "b"]]])
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "deleted")
      try await nodes[1].during {
        // Node b waits for a, whatever a may have.
        try await nodes[0].during {
          let moved = try await bound("moved", client)
          #expect(nodes[1].volumes == ["pvc-\(moved.uid)"])
          try await eventually("a keeps nothing, and nobody waits") {
            let left = try await client.getIfPresent(.persistentVolumeClaims, namespace: "default", name: "deleted")
            return nodes[0].volumes.isEmpty && left == nil
          }
        }
      }
    }
  }

  /// Who writes claims writes finalizers and annotations, too.
  @Test func `a claim that has had a volume takes no data with it, and one that names no node is let go`() async throws
  {
    try await with { client, nodes in
      try await nodes[0].during {
        try await client.create(claim("had", class: "waits", node: "a"), as: .persistentVolumeClaims)
        let volume = try #require(try await bound("had", client).spec["volumeName"].string)
        try await eventually("it is held no more") {
          try await !client.get(.persistentVolumeClaims, namespace: "default", name: "had").finalizers.contains(
            Self.made)
        }
        // An administrator takes the object away, and keeps the data.
        try await client.patch(
          .persistentVolumes, name: volume,
          ["metadata": ["finalizers": nil], "spec": ["persistentVolumeReclaimPolicy": "Retain"]])
        try await client.delete(.persistentVolumes, name: volume)
        try await client.patch(
          .persistentVolumeClaims, namespace: "default", name: "had",
          [
            "metadata": [
              "finalizers": [.string(Self.made)], "annotations": ["local.nagaya.dev/making-on": "a"],
            ]
          ])
        var nobodys = claim("nobodys", class: "none")
        nobodys.finalizers = [Self.made]
        try await client.create(nobodys, as: .persistentVolumeClaims)
        for name in ["had", "nobodys"] {
          try await client.delete(.persistentVolumeClaims, namespace: "default", name: name)
          try await eventually("\(name) is gone") {
            try await client.getIfPresent(.persistentVolumeClaims, namespace: "default", name: name) == nil
          }
        }
        #expect(nodes[0].volumes == [volume])
      }
    }
  }

  @Test func `a snapshot is taken, restored and deleted by the node that has its volume, whoever is asked`()
    async throws
  {
    try await with { client, nodes in
      try await nodes[0].during {
        try await nodes[1].during {
          try await SnapshotTests.addClass(client)
          try await eventually("each node publishes for each class") {
            try await client.list(.csiStorageCapacities).items.count == 4
          }
          try await client.create(claim("data", class: "waits", node: "b"), as: .persistentVolumeClaims)
          _ = try await bound("data", client)
          try await client.create(SnapshotTests.snapshot("snap", of: "data"), as: .volumeSnapshots)
          _ = try await SnapshotTests.ready("snap", client)
          #expect(nodes.map(\.snapshots) == [0, 1, 0])
          // One that waits for no pod goes where its source is, one that was sent elsewhere is given back.
          var now = claim("now", class: "now")
          now.spec["dataSource"] = SnapshotTests.from(snapshot: "snap")
          try await client.create(now, as: .persistentVolumeClaims)
          var astray = claim("astray", class: "waits", node: "a")
          astray.spec["dataSourceRef"] = SnapshotTests.from(claim: "data")
          try await client.create(astray, as: .persistentVolumeClaims)
          _ = try await bound("now", client)
          try await eventually("the other is given back, and says where its source is") {
            let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "astray")
            return claim.annotations["volume.kubernetes.io/selected-node"] == nil
              && claim.annotations[ClaimWishes.sourceNode] == "b" && claim.status["phase"] == "Pending"
          }
          #expect(nodes.map(\.volumes.count) == [0, 2, 0])
        }
        // Node b is away: its snapshot waits for it.
        try await client.delete(.volumeSnapshots, namespace: "default", name: "snap")
        try await client.create(claim("other", class: "waits", node: "a"), as: .persistentVolumeClaims)
        _ = try await bound("other", client)
        #expect(nodes.map(\.snapshots) == [0, 1, 0])
        try await nodes[1].during {
          try await eventually("it is deleted when its node is back") {
            let left = try await client.getIfPresent(.volumeSnapshots, namespace: "default", name: "snap")
            return left == nil && nodes[1].snapshots == 0
          }
        }
      }
    }
  }
}
