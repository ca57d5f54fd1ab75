import APIServer
import CSIDriver
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import StorageControllers
import TestSupport
import VolumeMoves
import VolumePools
import VolumeTransfer

/// A node's driver and controllers over a pool in a directory of its own.
struct StorageNode: Sendable {
  let name: String
  let directory: String
  let client: KubernetesClient
  let logger: Logger
  /// Bytes of the pool.
  var limit: Int64 = 4 << 30

  /// Runs it around a block, as one process: started, and asked to end.
  func during(_ body: @Sendable () async throws -> Void) async throws {
    try await during { (_: FilePool) in try await body() }
  }

  /// The same, with its pool.
  func during(_ body: @Sendable (FilePool) async throws -> Void) async throws {
    try FileManager.default.createDirectory(atPath: "\(directory)/pool", withIntermediateDirectories: true)
    let pool = try await FilePool.open(
      .init(name: "default", directory: "\(directory)/pool", limitBytes: limit, reservedBytes: 0), logger: logger)
    let socket = "\(directory)/csi.sock"
    let controllers = try NodeStorageControllers(
      client: client, driverSocket: socket, poolPath: "\(directory)/pool", logger: logger)
    let services: [any Service] = [
      CSIServer(DriverConfiguration(nodeName: name, pools: [pool]), socket: socket, logger: logger), controllers,
      NodeVolumeMoves(
        client: client,
        place: .init(
          node: name, nodeLabel: StorageAccess.nodeLabel, poolAttribute: VolumeParameters.pool, address: "127.0.0.1"),
        pools: [pool],
        receiver: TransferReceiver(identity: try TransferIdentity(), host: "127.0.0.1", port: 0, logger: logger),
        capacityChanged: { controllers.capacityChanged() }, logger: logger),
    ]
    try await Self.during(services, logger: logger) { try await body(pool) }
  }

  static func during(_ services: [any Service], logger: Logger, _ body: @Sendable () async throws -> Void)
    async throws
  {
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

  /// What its pool keeps.
  var volumes: Set<String> {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/pool/volumes")) ?? []
    return Set(names.filter { $0.hasPrefix("pvc-") }.map { String($0.prefix { $0 != "." }) })
  }

  /// How many snapshots its pool keeps.
  var snapshots: Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/pool/snapshots")) ?? []
    return names.count { $0.hasSuffix(".img") }
  }

  func image(_ volume: String) -> String { "\(directory)/pool/volumes/\(volume).img" }

  /// Nodes on one API server, none of them running yet, with the controllers of the cluster and two classes: `waits`, `now`.
  static func with(_ names: [String], _ body: @Sendable (KubernetesClient, [StorageNode]) async throws -> Void)
    async throws
  {
    let directory = "/tmp/nagaya-nodes-\(UInt32.random(in: 0..<1 << 24))"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var logger = Logger(label: "nodes-test")
    logger.logLevel = .critical
    let quiet = logger
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default", "kube-system"]) { server in
      let client = server.client()
      for (name, mode) in [("waits", "WaitForFirstConsumer"), ("now", "Immediate")] {
        var storageClass = KubernetesObject(.storageClasses, name: name)
        storageClass["provisioner"] = "local.nagaya.dev"
        storageClass["volumeBindingMode"] = .string(mode)
        storageClass["reclaimPolicy"] = "Delete"
        storageClass["allowVolumeExpansion"] = true
        try await client.create(storageClass, as: .storageClasses)
      }
      for name in names { try await client.create(KubernetesObject(.nodes, name: name), as: .nodes) }
      let nodes = names.map { StorageNode(name: $0, directory: "\(directory)/\($0)", client: client, logger: quiet) }
      try await during([StorageControllers(client: client, logger: quiet)], logger: quiet) {
        try await body(client, nodes)
      }
    }
  }

  static func claim(_ name: String, _ size: String = "512Mi", class storageClass: String, node: String? = nil)
    -> KubernetesObject
  {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
    if let node { claim.annotations = ["volume.kubernetes.io/selected-node": node] }
    claim.spec = [
      "storageClassName": .string(storageClass), "accessModes": ["ReadWriteOnce"],
      "resources": ["requests": ["storage": .string(size)]],
    ]
    return claim
  }

  static func bound(_ name: String, _ client: KubernetesClient) async throws -> KubernetesObject {
    try await eventually("\(name) is bound") {
      try await client.get(.persistentVolumeClaims, namespace: "default", name: name).status["phase"] == "Bound"
    }
    return try await client.get(.persistentVolumeClaims, namespace: "default", name: name)
  }
}
