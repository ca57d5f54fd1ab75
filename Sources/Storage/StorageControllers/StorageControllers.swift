import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Claims and volumes: provisioning over CSI on the node that the scheduler chose, binding, growth, reclaiming,
/// published capacity, and the objects that announce the driver.
public struct StorageControllers: Service {
  private let client: KubernetesClient
  private let driver: VolumeDriver
  private let driverName: String
  private let poolPath: String
  private let mountPath: @Sendable (String) -> String?
  private let logger: Logger

  /// - Parameters:
  ///   - driverSocket: the CSI driver's unix socket.
  ///   - poolPath: what the VolumePool object says of where volumes lie.
  ///   - mountPath: where a volume is mounted on this node, if it is; for growing file systems under way.
  public init(
    client: KubernetesClient, driverSocket: String, driverName: String = "local.nagaya.dev", poolPath: String,
    mountPath: @escaping @Sendable (_ volumeID: String) -> String?, logger: Logger
  ) throws {
    self.client = client
    driver = try VolumeDriver(socket: driverSocket)
    self.driverName = driverName
    self.poolPath = poolPath
    self.mountPath = mountPath
    self.logger = logger
  }

  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await driver.run() }
      group.addTask {
        do {
          try await cancelWhenGracefulShutdown {
            let node = try await driver.nodeInfo()
            try await announce(node)
            try await control(node)
          }
        } catch is CancellationError where Task.isShuttingDownGracefully {
          // Asked to end, and ended: no failure.
        }
      }
      try await group.next()
      group.cancelAll()
    }
  }

  private func control(_ node: VolumeDriver.Node) async throws {
    let claims = Informer(client, .persistentVolumeClaims, logger: logger)
    let volumes = Informer(client, .persistentVolumes, logger: logger)
    let classes = Informer(client, .storageClasses, logger: logger)
    let pods = Informer(client, .pods, indexes: [StorageCaches.byClaim], logger: logger)
    let caches = StorageCaches(
      claims: claims.cache, volumes: volumes.cache, classes: classes.cache, pods: pods.cache, node: node)
    let events = EventRecorder(client, component: driverName, host: node.id, logger: logger)
    let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let capacityChanged: @Sendable () -> Void = { change.yield() }

    let claimReconciler = ClaimReconciler(
      driverName: driverName, client: client, driver: driver, caches: caches, events: events,
      capacityChanged: capacityChanged, mountPath: mountPath)
    let claimController = Controller<ObjectKey>(
      name: "claims", workers: 4, of: claims, waitingFor: [volumes, classes, pods], logger: logger
    ) { try await claimReconciler.reconcile($0) }
    claimController.watch(volumes) { $0.claimKey.map { [$0] } ?? [] }
    claimController.watch(pods) { pod in
      pod.spec["volumes"].elements.compactMap { $0["persistentVolumeClaim"]["claimName"].string }.map {
        ObjectKey(namespace: pod.namespace, name: $0)
      }
    }
    let claimCache = claims.cache
    claimController.watch(classes) { _ in
      claimCache.list().filter { $0.phase != "Bound" }.map(\.key)
    }

    let volumeReconciler = VolumeReconciler(
      driverName: driverName, client: client, driver: driver, caches: caches, events: events,
      capacityChanged: capacityChanged)
    let volumeController = Controller<ObjectKey>(
      name: "volumes", workers: 4, of: volumes, waitingFor: [claims], logger: logger
    ) { try await volumeReconciler.reconcile($0) }
    volumeController.watch(claims) { claim in
      var names = ["pvc-\(claim.uid)"]
      if let name = claim.spec["volumeName"].string, name != names[0] { names.append(name) }
      return names.map { ObjectKey(name: $0) }
    }
    classes.onEvent { _ in capacityChanged() }

    let publisher = CapacityPublisher(
      driverName: driverName, client: client, driver: driver, caches: caches, poolPath: poolPath,
      namespace: "kube-system", changes: changes, logger: logger)
    let leaks = LeakDetector(driver: driver, caches: caches, informers: [volumes], events: events, logger: logger)
    try await ServiceSet([
      claims, volumes, classes, pods, events, claimController, volumeController, publisher, leaks,
    ]).run()
  }

  /// Makes the CSIDriver object and this node's CSINode.
  private func announce(_ node: VolumeDriver.Node) async throws {
    var driverObject = KubernetesObject(.csiDrivers, name: driverName)
    driverObject.spec = [
      "attachRequired": false, "podInfoOnMount": false, "storageCapacity": true, "volumeLifecycleModes": ["Persistent"],
    ]
    _ = try await client.apply(driverObject, as: .csiDrivers)
    try await enter(node)
  }

  /// Enters this driver in the node's CSINode; the entries of other drivers stay. A conflict with one of them is
  /// repeated, as often as there may be others.
  private func enter(_ node: VolumeDriver.Node) async throws {
    let entry: JSONValue = [
      "name": .string(driverName), "nodeID": .string(node.id),
      "topologyKeys": .array(node.topology.keys.sorted().map { .string($0) }),
    ]
    for attempt in 1...10 {
      let existing = try await client.getIfPresent(.csiNodes, name: node.id)
      let others = existing?.spec["drivers"].elements.filter { $0["name"].string != driverName } ?? []
      var wanted = existing ?? KubernetesObject(.csiNodes, name: node.id)
      wanted.spec["drivers"] = .array(
        (others + [entry]).sorted { ($0["name"].string ?? "") < ($1["name"].string ?? "") })
      do {
        _ = try await client.apply(wanted, as: .csiNodes, existing: existing)
        return
      } catch let status as APIStatus where (status.isConflict || status.isAlreadyExists) && attempt < 10 { continue }
    }
  }
}
