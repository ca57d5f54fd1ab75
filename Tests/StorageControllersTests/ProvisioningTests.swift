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
import Testing
import VolumePools

/// Claims against the real API server, the real CSI driver over its socket, and a real file pool.
@Suite("Provisioning")
struct ProvisioningTests {
  /// Runs `body` with a server, a driver with a pool of 4 GiB, and the controllers.
  /// - Parameter again: runs with another set of controllers, as after a restart.
  func withStorage(
    _ body: @Sendable (KubernetesClient) async throws -> Void,
    again: (@Sendable (KubernetesClient) async throws -> Void)? = nil
  ) async throws {
    let directory = "/tmp/nagaya-storage-\(UInt32.random(in: 0..<1 << 24))"
    try FileManager.default.createDirectory(atPath: "\(directory)/pool", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var logger = Logger(label: "storage-test")
    logger.logLevel = .warning
    let quiet = logger
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default", "kube-system"]) { server in
      let client = server.client()
      var storageClass = KubernetesObject(.storageClasses, name: "nagaya-local")
      storageClass.annotations = ["storageclass.kubernetes.io/is-default-class": "true"]
      storageClass["provisioner"] = "local.nagaya.dev"
      storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
      storageClass["reclaimPolicy"] = "Delete"
      storageClass["allowVolumeExpansion"] = true
      try await client.create(storageClass, as: .storageClasses)
      try await client.create(KubernetesObject(.nodes, name: "node-1"), as: .nodes)
      let pool = try await FilePool.open(
        .init(name: "default", directory: "\(directory)/pool", limitBytes: 4 << 30, reservedBytes: 0), logger: quiet)
      let socket = "\(directory)/csi.sock"
      let driver = CSIServer(DriverConfiguration(nodeName: "node-1", pools: [pool]), socket: socket, logger: quiet)
      let poolPath = "\(directory)/pool"
      try await Self.during([driver], logger: quiet) {
        // The driver's clients end before it does, and both as in the product: what is cancelled under calls may drop
        // them half-made.
        try await Self.withControllers(client, socket: socket, poolPath: poolPath, logger: quiet, body)
        if let again {
          try await Self.withControllers(client, socket: socket, poolPath: poolPath, logger: quiet, again)
        }
      }
    }
  }

  private static func withControllers(
    _ client: KubernetesClient, socket: String, poolPath: String, logger: Logger,
    _ body: @Sendable (KubernetesClient) async throws -> Void
  ) async throws {
    let node = try NodeStorageControllers(client: client, driverSocket: socket, poolPath: poolPath, logger: logger)
    let cluster = StorageControllers(client: client, logger: logger)
    try await during([cluster, node], logger: logger) { try await body(client) }
  }

  /// Runs services around a block, and asks them to shut down at its end.
  private static func during(
    _ services: [any Service], logger: Logger, _ body: @Sendable () async throws -> Void
  ) async throws {
    let services = ServiceGroup(services: services, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await services.run() }
      var failure: (any Error)?
      do { try await body() } catch { failure = error }
      await services.triggerGracefulShutdown()
      try await tasks.waitForAll()
      if let failure { throw failure }
    }
  }

  private func claim(_ name: String, _ size: String, node: String? = "node-1") -> KubernetesObject {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: name)
    if let node { claim.annotations = ["volume.kubernetes.io/selected-node": node] }
    claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": .string(size)]]]
    return claim
  }

  @Test("a claim with a selected node gets a volume there, is bound, and takes the volume with it")
  func roundTrip() async throws {
    try await withStorage { client in
      try await client.create(claim("data", "1Gi"), as: .persistentVolumeClaims)
      try await eventually("bound") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "data").status["phase"] == "Bound"
      }
      let bound = try await client.get(.persistentVolumeClaims, namespace: "default", name: "data")
      #expect(bound.spec["storageClassName"] == "nagaya-local")
      #expect(bound.spec["volumeName"] == .string("pvc-\(bound.uid)"))
      #expect(bound.finalizers.contains("kubernetes.io/pvc-protection"))
      let volume = try await client.get(.persistentVolumes, name: "pvc-\(bound.uid)")
      let term = volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
      #expect(term["key"] == "topology.local.nagaya.dev/node" && term["values"] == ["node-1"])
      #expect(volume.spec["capacity"]["storage"] == "1Gi")
      try await eventually("the volume's phase") {
        try await client.get(.persistentVolumes, name: volume.name).status["phase"] == "Bound"
      }
      try await eventually("published capacity is less by the volume") {
        let capacity = try await client.getIfPresent(
          .csiStorageCapacities, namespace: "kube-system", name: "node-1-nagaya-local")
        return capacity?["capacity"] == "3Gi" && capacity?["maximumVolumeSize"] == "3Gi"
      }
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "data")
      try await eventually("claim and volume are gone") {
        let claim = try await client.getIfPresent(.persistentVolumeClaims, namespace: "default", name: "data")
        let rest = try await client.getIfPresent(.persistentVolumes, name: volume.name)
        return claim == nil && rest == nil
      }
      try await eventually("its space is free again") {
        try await client.get(.csiStorageCapacities, namespace: "kube-system", name: "node-1-nagaya-local")["capacity"]
          == "4Gi"
      }
    }
  }

  private func attributes(_ name: String, driver: String = "local.nagaya.dev") -> KubernetesObject {
    var object = KubernetesObject(.volumeAttributesClasses, name: name)
    object["driverName"] = .string(driver)
    object["parameters"] = ["local.nagaya.dev/readBytesPerSecond": "20M"]
    return object
  }

  @Test("a volume is made with the attributes that its claim names, and gets others when the claim names others")
  func volumeAttributes() async throws {
    try await withStorage { client in
      var first = claim("data", "1Gi")
      first.spec["volumeAttributesClassName"] = "silver"
      try await client.create(first, as: .persistentVolumeClaims)
      try await eventually("it waits for its class") {
        try await client.list(.events, namespace: "default").items.contains {
          $0["message"].string?.contains("no VolumeAttributesClass \"silver\"") == true
        }
      }
      try await client.create(attributes("silver"), as: .volumeAttributesClasses)
      @Sendable func current() async throws -> (claim: KubernetesObject, volume: KubernetesObject?) {
        let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "data")
        let name = claim.spec["volumeName"].string ?? "none"
        return (claim, try await client.getIfPresent(.persistentVolumes, name: name))
      }
      @Sendable func has(_ name: String) async throws -> Bool {
        let (claim, volume) = try await current()
        return claim.status["currentVolumeAttributesClassName"].string == name
          && volume?.spec["volumeAttributesClassName"].string == name && claim.status["modifyVolumeStatus"].isNull
      }
      try await eventually("it has the attributes of silver") { try await has("silver") }
      // One that is not there changes nothing, and is found once it is there; growing does not wait for it.
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "data",
        ["spec": ["volumeAttributesClassName": "gold", "resources": ["requests": ["storage": "2Gi"]]]])
      try await eventually("it is said to be pending, and grows") {
        let (claim, volume) = try await current()
        return claim.status["modifyVolumeStatus"]["status"] == "Pending"
          && volume?.spec["volumeAttributesClassName"] == "silver" && volume?.spec["capacity"]["storage"] == "2Gi"
      }
      try await client.create(attributes("gold"), as: .volumeAttributesClasses)
      try await eventually("it has the attributes of gold") { try await has("gold") }
      // One of another driver is no way at all.
      try await client.create(attributes("other", driver: "other.example"), as: .volumeAttributesClasses)
      try await client.patch(
        .persistentVolumeClaims, namespace: "default", name: "data", ["spec": ["volumeAttributesClassName": "other"]])
      try await eventually("it is said to be infeasible") {
        let (claim, volume) = try await current()
        return claim.status["modifyVolumeStatus"]["status"] == "Infeasible"
          && volume?.spec["volumeAttributesClassName"] == "gold"
      }
    }
  }

  @Test("without a selected node a claim waits")
  func waits() async throws {
    try await withStorage { client in
      try await client.create(claim("later", "1Gi", node: nil), as: .persistentVolumeClaims)
      try await eventually("class and protection are set") {
        let claim = try await client.get(.persistentVolumeClaims, namespace: "default", name: "later")
        return claim.spec["storageClassName"] == "nagaya-local" && !claim.finalizers.isEmpty
      }
      #expect(try await client.list(.persistentVolumes).items.isEmpty)
    }
  }

  @Test("what does not fit loses its node, with an event that says the sizes")
  func tooLarge() async throws {
    try await withStorage { client in
      try await client.create(claim("huge", "9Gi"), as: .persistentVolumeClaims)
      try await eventually("the selected node is taken back") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "huge").annotations.isEmpty
      }
      try await eventually("the event") {
        try await client.list(.events, namespace: "default").items.contains {
          $0["reason"] == "ProvisioningFailed" && ($0["message"].string?.contains("9Gi") ?? false)
        }
      }
      #expect(try await client.list(.persistentVolumes).items.isEmpty)
    }
  }

  @Test("a claim that a pod uses is kept until the pod has ended")
  func protected() async throws {
    try await withStorage { client in
      try await client.create(claim("used", "1Gi"), as: .persistentVolumeClaims)
      var pod = KubernetesObject(.pods, namespace: "default", name: "user")
      pod.spec = [
        "containers": [["name": "c", "image": "example/c:1"]],
        "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": "used"]]],
      ]
      try await client.create(pod, as: .pods)
      try await eventually("bound") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "used").status["phase"] == "Bound"
      }
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "used")
      #expect(try await client.get(.persistentVolumeClaims, namespace: "default", name: "used").isBeingDeleted)
      try await client.delete(.pods, namespace: "default", name: "user", gracePeriodSeconds: 0)
      try await eventually("gone after its pod") {
        try await client.getIfPresent(.persistentVolumeClaims, namespace: "default", name: "used") == nil
      }
    }
  }

  @Test("a retained volume stays, released, with its data")
  func retained() async throws {
    try await withStorage { client in
      try await client.create(claim("kept", "1Gi"), as: .persistentVolumeClaims)
      try await eventually("bound") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "kept").status["phase"] == "Bound"
      }
      let name = try await client.get(.persistentVolumeClaims, namespace: "default", name: "kept").spec["volumeName"]
      let volume = name.string ?? ""
      try await client.patch(
        .persistentVolumes, name: volume, ["spec": ["persistentVolumeReclaimPolicy": "Retain"]])
      try await client.delete(.persistentVolumeClaims, namespace: "default", name: "kept")
      try await eventually("released") {
        try await client.get(.persistentVolumes, name: volume).status["phase"] == "Released"
      }
    }
  }

  @Test("a class that goes takes its published capacity with it, and foreign pools and drivers are told apart")
  func published() async throws {
    try await withStorage { client in
      var second = KubernetesObject(.storageClasses, name: "second")
      second["provisioner"] = "local.nagaya.dev"
      second["volumeBindingMode"] = "WaitForFirstConsumer"
      try await client.create(second, as: .storageClasses)
      // Published by somebody else for this node, and by this driver for another one.
      for (name, driver, node) in [("theirs", "other.example", "node-1"), ("elsewhere", "local.nagaya.dev", "node-2")] {
        var capacity = KubernetesObject(
          .csiStorageCapacities, namespace: "kube-system", name: name, labels: ["csi.storage.k8s.io/drivername": driver]
        )
        capacity["storageClassName"] = "nagaya-local"
        capacity["nodeTopology"] = ["matchLabels": ["topology.local.nagaya.dev/node": .string(node)]]
        try await client.create(capacity, as: .csiStorageCapacities)
      }
      func names() async throws -> Set<String> {
        Set(try await client.list(.csiStorageCapacities, namespace: "kube-system").items.map(\.name))
      }
      try await eventually("both classes are published") {
        try await names() == ["node-1-nagaya-local", "node-1-second", "theirs", "elsewhere"]
      }
      try await client.delete(.storageClasses, name: "second")
      try await eventually("its capacity is gone") {
        try await names() == ["node-1-nagaya-local", "theirs", "elsewhere"]
      }
    }
  }

  @Test("another driver's entry in the CSINode stays")
  func severalDrivers() async throws {
    try await withStorage { client in
      try await eventually("this driver is entered") {
        try await client.getIfPresent(.csiNodes, name: "node-1")?.spec["drivers"].elements.count == 1
      }
      try await client.patch(
        .csiNodes, name: "node-1",
        ["spec": ["drivers": [["name": "zfs.example", "nodeID": "n1", "topologyKeys": []]]]])
    } again: { client in
      try await eventually("both drivers are entered") {
        try await client.get(.csiNodes, name: "node-1").spec["drivers"].elements.map { $0["name"].string }
          == ["local.nagaya.dev", "zfs.example"]
      }
    }
  }

  @Test("a volume made by hand is bound where the scheduler wants the claim, and nowhere else")
  func existing() async throws {
    try await withStorage { client in
      var manual = KubernetesObject(.storageClasses, name: "manual")
      manual["provisioner"] = "kubernetes.io/no-provisioner"
      manual["volumeBindingMode"] = "WaitForFirstConsumer"
      try await client.create(manual, as: .storageClasses)
      for node in ["node-1", "node-2"] {
        _ = try await client.apply(
          KubernetesObject(.nodes, name: node, labels: ["kubernetes.io/hostname": node]), as: .nodes)
        var volume = KubernetesObject(.persistentVolumes, name: "disk-\(node)")
        volume.spec = [
          "capacity": ["storage": "2Gi"], "accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
          "persistentVolumeReclaimPolicy": "Retain",
          "csi": ["driver": "other.example", "volumeHandle": .string(node)],
        ]
        volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
          ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(node)]]]]
        ]
        try await client.create(volume, as: .persistentVolumes)
      }
      func phase(_ name: String) async throws -> String? {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: name).status["phase"].string
      }
      for (name, node) in [("first", "node-2"), ("second", "node-1")] {
        var wanted = claim(name, "1Gi", node: nil)
        wanted.spec["storageClassName"] = "manual"
        try await client.create(wanted, as: .persistentVolumeClaims)
        try await eventually("protected") {
          try await !client.get(.persistentVolumeClaims, namespace: "default", name: name).finalizers.isEmpty
        }
        #expect(try await phase(name) != "Bound", "it waits for its node")
        try await client.patch(
          .persistentVolumeClaims, namespace: "default", name: name,
          ["metadata": ["annotations": ["volume.kubernetes.io/selected-node": .string(node)]]])
        try await eventually("bound") { try await phase(name) == "Bound" }
        let bound = try await client.get(.persistentVolumeClaims, namespace: "default", name: name)
        #expect(bound.spec["volumeName"].string == "disk-\(node)")
      }
      var third = claim("third", "1Gi", node: "node-1")
      third.spec["storageClassName"] = "manual"
      try await client.create(third, as: .persistentVolumeClaims)
      try await eventually("none is left: the node is taken back") {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "third").annotations.isEmpty
      }
    }
  }
}
