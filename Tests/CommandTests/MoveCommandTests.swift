import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers
import TestSupport
import Testing

@testable import nagaya

/// `move`, `drain` and `get moves` against the real API server; who carries moves out is played.
@Suite struct MoveCommandTests {
  /// Two nodes with 10 GiB left each, and a claim on node a.
  private func with(_ body: @Sendable (CommandRunner, KubernetesClient) async throws -> Void) async throws {
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default", "kube-system"]) { server in
      let client = server.client()
      var storageClass = KubernetesObject(.storageClasses, name: "local")
      storageClass["provisioner"] = .string(StorageAccess.driverName)
      try await client.create(storageClass, as: .storageClasses)
      for name in ["a", "b"] {
        var node = try await client.create(KubernetesObject(.nodes, name: name), as: .nodes)
        node.status["conditions"] = [["type": "Ready", "status": "True"]]
        node.status["allocatable"] = ["cpu": "4", "memory": "8Gi", "pods": "110"]
        try await client.updateStatus(node, as: .nodes)
        var capacity = KubernetesObject(.csiStorageCapacities, namespace: "kube-system", name: name)
        capacity["storageClassName"] = "local"
        capacity["nodeTopology"] = ["matchLabels": [.init(StorageAccess.nodeLabel): .string(name)]]
        capacity["capacity"] = "10Gi"
        try await client.create(capacity, as: .csiStorageCapacities)
      }
      for (name, size) in [("small", "2Gi"), ("large", "20Gi")] {
        var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
        claim.spec = [
          "storageClassName": "local", "accessModes": ["ReadWriteOnce"], "volumeName": .string("pvc-\(name)"),
          "resources": ["requests": ["storage": .string(size)]],
        ]
        let made = try await client.create(claim, as: .persistentVolumeClaims)
        var volume = KubernetesObject(.persistentVolumes, name: "pvc-\(name)")
        volume.spec = [
          "capacity": ["storage": .string(size)], "accessModes": ["ReadWriteOnce"], "storageClassName": "local",
          "claimRef": ["namespace": "default", "name": .string(name), "uid": .string(made.uid)],
          "csi": ["driver": .string(StorageAccess.driverName), "volumeHandle": .string("pvc-\(name)")],
        ]
        volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
          ["matchExpressions": [["key": .string(StorageAccess.nodeLabel), "operator": "In", "values": ["a"]]]]
        ]
        try await client.create(volume, as: .persistentVolumes)
      }
      try await body(CommandRunner(server: server), client)
    }
  }

  /// Ends the one move that there is.
  private func end(_ phase: String, _ message: String, _ client: KubernetesClient) async throws {
    try await eventually("a move is made") { try await client.list(.volumeMoves).items.count == 1 }
    var move = try #require(try await client.list(.volumeMoves).items.first)
    move.status = ["phase": .string(phase), "message": .string(message), "sourceNode": "a"]
    try await client.updateStatus(move, as: .volumeMoves)
  }

  @Test func `a volume is moved by its claim's name, and waited for`() async throws {
    try await with { run, client in
      async let moved = run("move", "volume", "small", "-n", "default", "--to", "b", "--bytes-per-second", "50M")
      try await end("Succeeded", "moved", client)
      let done = await moved
      #expect(done.code == 0, "\(done.error)")
      #expect(done.out.contains("small is on node b"))
      let move = try #require(try await client.list(.volumeMoves).items.first)
      #expect(move.spec["volumeName"] == "pvc-small")
      #expect(VolumeMove(move).bytesPerSecond == 50_000_000)
      let table = await run("get", "moves")
      #expect(table.out.contains("pvc-small") && table.out.contains("Succeeded"), "\(table.out)")
    }
  }

  @Test func `a move that fails says why`() async throws {
    try await with { run, client in
      async let moved = run("move", "volume", "small", "-n", "default", "--to", "z")
      try await end("Failed", "node z does not exist", client)
      let done = await moved
      #expect(done.code != 0)
      #expect(done.error.contains("node z does not exist") && done.error.contains("nagaya get moves"), "\(done.error)")
    }
  }

  @Test func `a drain is shown before it is done, and names what stays`() async throws {
    try await with { run, client in
      let shown = await run("drain", "node", "a", "--with-volumes", "--dry-run")
      #expect(shown.code != 0, "one finds no place")
      #expect(shown.out.contains("pvc-small  2Gi  a -> b"), "\(shown.out)")
      #expect(shown.error.contains("pvc-large stays: no other node has room for it"), "\(shown.error)")
      #expect(try await client.list(.volumeMoves).items.isEmpty)
      #expect(try await client.get(.nodes, name: "a").spec["unschedulable"].isNull)
      async let drained = run("drain", "node", "a", "--with-volumes")
      try await end("Succeeded", "moved", client)
      #expect(await drained.code != 0)
      #expect(try await client.get(.nodes, name: "a").spec["unschedulable"] == true)
      let pods = await run("drain", "node", "a")
      #expect(pods.error.contains("--with-volumes"), "\(pods.error)")
    }
  }
}
