import APIServer
import CSIDriver
import Controllers
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import PodScheduler
import ServiceLifecycle
import StorageControllers
import TestSupport
import Testing
import VolumeMoves
import VolumePools
import VolumeTransfer

@testable import NodeAgent

/// Three nodes on one API server, each with a containerd, an agent, a CSI driver and a pool of its own, and the cluster's scheduler and
/// storage controllers: what one machine's instance has once, there are three of.
@Suite(.serialized) struct ThreeNodesTests {
  /// One node; its containers outlive its agent and driver, as they do on a machine.
  private struct Node: Sendable {
    let name: String
    let engine: TestEngine
    let client: KubernetesClient

    var pool: String { "\(engine.directory)/pool" }
    private var socket: String { "\(engine.directory)/csi.sock" }

    func agent() throws -> NodeAgent {
      try NodeAgent(
        NodeConfiguration(
          name: name, address: "127.0.0.1", directory: "\(engine.directory)/S/node",
          runtimeSocket: engine.layout.socket, csiSockets: [StorageAccess.driverName: socket],
          volumeLabel: StorageAccess.nodeLabel, network: engine.network,
          crashBackOff: (.seconds(1), .seconds(4)), resync: .seconds(5), heartbeat: .seconds(1)),
        client: client, logger: engine.logger)
    }

    /// Runs the driver, the node's storage and the agent around a block, as one start of a machine's parts.
    func during(_ body: @Sendable () async throws -> Void) async throws {
      try Directory.make(pool)
      let backend = try await FilePool.open(
        .init(name: "default", directory: pool, limitBytes: 1 << 30, reservedBytes: 0), logger: engine.logger)
      let controllers = try NodeStorageControllers(
        client: client, driverSocket: socket, poolPath: pool, logger: engine.logger)
      let moves = NodeVolumeMoves(
        client: client,
        place: .init(
          node: name, nodeLabel: StorageAccess.nodeLabel, poolAttribute: VolumeParameters.pool, address: "127.0.0.1"),
        pools: [backend],
        receiver: TransferReceiver(
          identity: try TransferIdentity(), host: "127.0.0.1", port: 0, logger: engine.logger),
        capacityChanged: { controllers.capacityChanged() }, logger: engine.logger)
      try await ThreeNodesTests.during(
        [
          CSIServer(DriverConfiguration(nodeName: name, pools: [backend]), socket: socket, logger: engine.logger),
          controllers, moves, try agent(),
        ], logger: engine.logger, body)
    }

    /// Volumes whose files are here.
    var volumes: Set<String> {
      Set(
        Directory.namesIfReadable(in: "\(pool)/volumes").filter { $0.hasPrefix("pvc-") }
          .map { String($0.prefix { $0 != "." }) })
    }
  }

  private static func during(
    _ services: [any Service], logger: Logger, _ body: @Sendable () async throws -> Void
  ) async throws {
    let group = ServiceGroup(services: services, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      let result: Result<Void, any Error>
      do { result = .success(try await body()) } catch { result = .failure(error) }
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
      try result.get()
    }
  }

  /// Runs a body with the cluster's part and three engines; nodes are started by the body.
  private func with(_ body: @Sendable (KubernetesClient, [Node]) async throws -> Void) async throws {
    try await TestEngine.with { one in
      try await TestEngine.with { two in
        try await TestEngine.with { three in
          try await APIServer.withInMemory(
            registry: .standard, logger: one.logger, namespaces: ["default", "kube-system"]
          ) { server in
            let client = server.client()
            var storageClass = KubernetesObject(.storageClasses, name: "local")
            storageClass["provisioner"] = .string(StorageAccess.driverName)
            storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
            storageClass["reclaimPolicy"] = "Delete"
            storageClass["allowVolumeExpansion"] = true
            try await client.create(storageClass, as: .storageClasses)
            let nodes = [("a", one), ("b", two), ("c", three)].map { name, engine in
              Node(
                name: name, engine: engine,
                client: KubernetesClient(
                  InProcessTransport(server, as: .component("node-\(name)")), userAgent: "node-\(name)"))
            }
            let logger = one.logger
            try await Self.during(
              [
                StorageControllers(client: client, logger: logger), PodScheduler(client, logger: logger),
                BuiltInControllers(client: client, logger: logger),
              ], logger: logger
            ) { try await body(client, nodes) }
          }
        }
      }
    }
  }

  private func start(_ name: String, _ size: String, _ client: KubernetesClient) async throws {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
    claim.spec = [
      "storageClassName": "local", "accessModes": ["ReadWriteOnce"],
      "resources": ["requests": ["storage": .string(size)]],
    ]
    try await client.create(claim, as: .persistentVolumeClaims)
    var pod = KubernetesObject(.pods, namespace: "default", name: name)
    pod.spec = [
      "terminationGracePeriodSeconds": 2,
      "containers": [
        [
          "name": "main", "image": .string(TestEngine.image), "args": ["serve"],
          "volumeMounts": [["name": "data", "mountPath": "/data"]],
        ]
      ],
      "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": .string(name)]]],
    ]
    try await client.create(pod, as: .pods)
  }

  private func ready(_ name: String, _ client: KubernetesClient) async throws -> KubernetesObject {
    try await eventually("\(name) is ready") {
      try await client.get(.pods, namespace: "default", name: name).isReady
    }
    return try await client.get(.pods, namespace: "default", name: name)
  }

  private func get(_ pod: KubernetesObject, _ path: String) async -> String? {
    guard let address = pod.status["podIP"].string else { return nil }
    return try? await Command.run("/usr/bin/curl", ["-sf", "--max-time", "5", "http://\(address):8080\(path)"])
  }

  @Test func `pods follow the room, and each node makes, grows and deletes what lies on it`() async throws {
    try await with { client, nodes in
      let names = ["one", "two", "three"]
      try await nodes[0].during {
        try await nodes[1].during {
          try await nodes[2].during {
            try await eventually("each node has told its room") {
              try await client.list(.csiStorageCapacities).items.count == 3
            }
            // No two fit on one node.
            for name in names { try await start(name, "600Mi", client) }
            var places: [String: String] = [:]
            for name in names {
              let pod = try await ready(name, client)
              places[name] = pod.spec["nodeName"].string
              try await eventually("it writes to its volume") { await get(pod, "/write/data/\(name)") == "" }
            }
            #expect(Set(places.values) == ["a", "b", "c"], "\(places)")
            for node in nodes { #expect(node.volumes.count == 1, "\(node.name): \(node.volumes)") }
            // What fits nowhere says so; it has room once somebody else goes.
            try await start("four", "500Mi", client)
            try await eventually("it is told") {
              let told = try await client.get(.pods, namespace: "default", name: "four").condition("PodScheduled")
              return told?["message"].string?.contains("3 node(s) did not have enough free storage") == true
            }
            let away = try #require(places["one"])
            try await delete("one", client)
            let fourth = try await ready("four", client)
            #expect(fourth.spec["nodeName"].string == away)
            // Growth happens where the volume is.
            let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "two")
            #expect(claim.status["capacity"]["storage"] == "600Mi")
            try await client.patch(
              .persistentVolumeClaims, namespace: "default", name: "two",
              ["spec": ["resources": ["requests": ["storage": "800Mi"]]]])
            try await eventually("it has grown, file system and all") {
              try await client.get(.persistentVolumeClaims, namespace: "default", name: "two")
                .status["capacity"]["storage"] == "800Mi"
            }
          }
        }
        // Nodes b and c are away: their containers run on, and nobody else touches their volumes.
        let before = nodes.map(\.volumes)
        for name in ["two", "three", "four"] {
          let pod = try await client.get(.pods, namespace: "default", name: name)
          #expect(await get(pod, "/") == "hello", "\(name)")
        }
        for name in ["two", "three", "four"] {
          try await client.delete(.pods, namespace: "default", name: name)
          try await client.delete(.persistentVolumeClaims, namespace: "default", name: name)
        }
        try await eventually("what lies here is gone") { nodes[0].volumes.isEmpty }
        for (index, node) in nodes.enumerated() where index > 0 { #expect(node.volumes == before[index]) }
        try await nodes[1].during {
          try await nodes[2].during {
            try await eventually("the others are back, and have given back theirs") {
              let left = try await client.list(.persistentVolumes).items
              let pods = try await client.list(.pods, namespace: "default").items
              return left.isEmpty && pods.isEmpty && nodes.allSatisfy(\.volumes.isEmpty)
            }
          }
        }
      }
    }
  }

  /// An app of one copy with a volume, which is given to a node.
  private func app(_ name: String, _ size: String, on node: String, _ client: KubernetesClient) async throws {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
    claim.annotations = [StorageAccess.selectedNode: node]
    claim.spec = [
      "storageClassName": "local", "accessModes": ["ReadWriteOnce"],
      "resources": ["requests": ["storage": .string(size)]],
    ]
    try await client.create(claim, as: .persistentVolumeClaims)
    var deployment = KubernetesObject(.deployments, namespace: "default", name: name)
    deployment.spec = [
      "replicas": 1, "strategy": ["type": "Recreate"], "selector": ["matchLabels": ["app": .string(name)]],
      "template": [
        "metadata": ["labels": ["app": .string(name)]],
        "spec": [
          "terminationGracePeriodSeconds": 2,
          "containers": [
            [
              "name": "main", "image": .string(TestEngine.image), "args": ["serve"],
              "volumeMounts": [["name": "data", "mountPath": "/data"]],
            ]
          ],
          "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": .string(name)]]],
        ],
      ],
    ]
    try await client.create(deployment, as: .deployments)
  }

  /// The app's pod, once it is ready on one of the nodes.
  private func copy(of app: String, on nodes: Set<String>, _ client: KubernetesClient) async throws -> KubernetesObject
  {
    func find() async throws -> KubernetesObject? {
      try await client.list(.pods, namespace: "default").items.first {
        $0.labels["app"] == app && $0.isReady && !$0.isBeingDeleted && nodes.contains($0.spec["nodeName"].string ?? "")
      }
    }
    try await eventually("\(app) is ready on one of \(nodes.sorted())") { try await find() != nil }
    return try #require(try await find())
  }

  @Test func `a large claim is made to fit by a move, and a drained node's volumes take their data along`() async throws
  {
    try await with { client, nodes in
      try await client.patch(
        .storageClasses, name: "local",
        ["metadata": ["annotations": [.init(StorageAccess.movesPolicy): "when-pending"]]])
      try await nodes[0].during {
        try await nodes[1].during {
          try await nodes[2].during {
            try await eventually("each node has told its room") {
              try await client.list(.csiStorageCapacities).items.count == 3
            }
            // On each node there is something small: together they have much, and none has enough.
            for node in ["a", "b", "c"] { try await app("app-\(node)", "320Mi", on: node, client) }
            for node in ["a", "b", "c"] {
              let pod = try await copy(of: "app-\(node)", on: [node], client)
              try await eventually("it writes to its volume") { await get(pod, "/write/data/mine") == "" }
            }
            try await start("large", "900Mi", client)
            let large = try await ready("large", client)
            let place = try #require(large.spec["nodeName"].string)
            let move = try #require(try await client.list(.volumeMoves).items.first)
            #expect(move.status["sourceNode"].string == place)
            #expect(try await client.list(.volumeMoves).items.count == 1, "one move was enough")
            let others = Set(["a", "b", "c"]).subtracting([place])
            let moved = try await copy(of: "app-\(place)", on: others, client)
            try await eventually("its data is there") { await get(moved, "/file/data/mine") == "ok" }
            try await eventually("the move is over") {
              try await client.get(.volumeMoves, name: move.name).status["phase"] == "Succeeded"
            }
            let events = try await client.list(.events, namespace: "default").items
            #expect(events.contains { $0["reason"] == "MakingRoom" && $0["involvedObject"]["name"] == "large" })

            // Its small ones now stand on two nodes; the one that has two is emptied.
            let full = try #require(moved.spec["nodeName"].string)
            try await client.patch(.nodes, name: full, ["spec": ["unschedulable": true]])
            try await delete("large", client)
            try await eventually("its room is published") {
              try await client.list(.csiStorageCapacities).items.contains {
                $0["nodeTopology"]["matchLabels"][StorageAccess.nodeLabel].string == place
                  && $0["capacity"].string.flatMap(Quantity.init).map { $0.value > 900 << 20 } == true
              }
            }
            let plan = RoomPlan(
              .init(
                nodes: try await client.list(.nodes).items, pods: try await client.list(.pods).items,
                volumes: try await client.list(.persistentVolumes).items,
                claims: try await client.list(.persistentVolumeClaims).items,
                classes: try await client.list(.storageClasses).items,
                capacities: try await client.list(.csiStorageCapacities).items)
            ) { _, _ in true }.drain(full)
            #expect(plan.steps.count == 2, "\(plan)")
            #expect(plan.stuck.isEmpty)
            for (index, step) in plan.steps.enumerated() {
              var move = KubernetesObject(.volumeMoves, name: "drain-\(index)")
              move.spec = ["volumeName": .string(step.volume), "targetNode": .string(step.to)]
              try await client.create(move, as: .volumeMoves)
            }
            try await eventually("the node is empty") { nodes.first { $0.name == full }?.volumes.isEmpty == true }
            let left = Set(["a", "b", "c"]).subtracting([full])
            for name in ["app-\(place)", "app-\(full)"] {
              let pod = try await copy(of: name, on: left, client)
              try await eventually("\(name) has its data") { await get(pod, "/file/data/mine") == "ok" }
            }
            for name in ["app-a", "app-b", "app-c"] {
              try await client.delete(.deployments, namespace: "default", name: name)
              try await client.delete(.persistentVolumeClaims, namespace: "default", name: name)
            }
            try await eventually("nothing is left") {
              let left = try await client.list(.persistentVolumes).items
              return left.isEmpty && nodes.allSatisfy(\.volumes.isEmpty)
            }
          }
        }
      }
    }
  }

  private func delete(_ name: String, _ client: KubernetesClient) async throws {
    try await client.delete(.pods, namespace: "default", name: name)
    try await client.delete(.persistentVolumeClaims, namespace: "default", name: name)
    try await eventually("\(name) is gone") {
      let claim = try await client.getIfPresent(.persistentVolumeClaims, namespace: "default", name: name)
      let pod = try await client.getIfPresent(.pods, namespace: "default", name: name)
      return claim == nil && pod == nil
    }
  }
}
