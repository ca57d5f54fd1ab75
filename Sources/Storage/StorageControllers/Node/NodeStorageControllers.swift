import JSONDocument
import KubernetesAPI
public import KubernetesClient
public import Logging
public import ServiceLifecycle

/// What one node does for claims and volumes, by its own CSI driver: makes the volumes of claims that were given to it, grows
/// and deletes those that lie on it, publishes what it has left, and enters the driver in the node's CSINode.
///
/// It touches nothing of other nodes. Binding and phases are the cluster's (`StorageControllers`, or Kubernetes' own), file
/// systems of mounted volumes grow by whoever mounted them (the node agent, or the kubelet).
public struct NodeStorageControllers: Service {
  private let client: KubernetesClient
  private let driver: VolumeDriver
  private let driverName: String
  private let poolPath: String
  private let entersNode: Bool
  private let takesSnapshots: Bool
  private let logger: Logger
  private let changes: AsyncStream<Void>
  private let change: AsyncStream<Void>.Continuation

  /// - Parameters:
  ///   - driverSocket: the CSI driver's unix socket.
  ///   - poolPath: what the VolumePool object says of where volumes lie.
  ///   - entersNode: whether the driver is entered in the node's CSINode here; a kubelet does it itself.
  ///   - takesSnapshots: whether VolumeSnapshotContents of this node are served here; Kubernetes may have a sidecar for them, or not
  ///     know the kind.
  public init(
    client: KubernetesClient, driverSocket: String, driverName: String = StorageAccess.driverName, poolPath: String,
    entersNode: Bool = true, takesSnapshots: Bool = true, logger: Logger
  ) throws {
    self.client = client
    driver = try VolumeDriver(socket: driverSocket)
    self.driverName = driverName
    self.poolPath = poolPath
    self.entersNode = entersNode
    self.takesSnapshots = takesSnapshots
    self.logger = logger
    (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// To be called when somebody else took room from the pools, or gave some back: it is published at once.
  public func capacityChanged() { change.yield() }

  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      // Asked to end, and ended: whatever was under way fails then, and that is no failure.
      group.addTask {
        do { try await driver.run() } catch  where Task.isShuttingDownGracefully {}
      }
      group.addTask {
        do {
          try await cancelWhenGracefulShutdown {
            let node = try await driver.nodeInfo()
            if entersNode {
              try await client.begin("entering the driver", logger: logger) { try await enter(node) }
            }
            try await control(node)
          }
        } catch  where Task.isShuttingDownGracefully {}
      }
      try await group.next()
      group.cancelAll()
    }
  }

  private func control(_ node: VolumeDriver.Node) async throws {
    let claims = Informer(client, .persistentVolumeClaims, logger: logger)
    let volumes = Informer(
      client, .persistentVolumes, labels: LabelSelector(matchLabels: node.topology), logger: logger)
    let classes = Informer(client, .storageClasses, logger: logger)
    let caches = NodeStorageCaches(claims: claims.cache, volumes: volumes.cache, classes: classes.cache, node: node)
    let events = EventRecorder(client, component: driverName, host: node.id, logger: logger)
    let capacityChanged: @Sendable () -> Void = { [change] in change.yield() }

    let provisioner = ClaimProvisioner(
      driverName: driverName, client: client, driver: driver, caches: caches, events: events,
      capacityChanged: capacityChanged)
    let claimController = Controller<ObjectKey>(
      name: "node-claims", workers: 4, of: claims, waitingFor: [volumes, classes], logger: logger
    ) { try await provisioner.reconcile($0) }
    claimController.watch(volumes) { $0.claimKey.map { [$0] } ?? [] }
    let claimCache = claims.cache
    claimController.watch(classes) { _ in claimCache.list().filter { $0.phase != "Bound" }.map(\.key) }

    let reclaimer = VolumeReclaimer(
      driverName: driverName, client: client, driver: driver, caches: caches, events: events,
      capacityChanged: capacityChanged)
    let volumeController = Controller<ObjectKey>(
      name: "node-volumes", workers: 4, of: volumes, waitingFor: [claims], logger: logger
    ) { try await reclaimer.reconcile($0) }
    classes.onEvent { _ in capacityChanged() }

    let publisher = CapacityPublisher(
      driverName: driverName, client: client, driver: driver, caches: caches, poolPath: poolPath,
      namespace: StorageAccess.capacityNamespace, changes: changes, logger: logger)
    var parts: [any Service] = [claims, volumes, classes, events, claimController, volumeController, publisher]
    var contents: Informer?
    if takesSnapshots {
      let informer = Informer(
        client, .volumeSnapshotContents, labels: LabelSelector(matchLabels: [SnapshotBinding.nodeLabel: node.id]),
        logger: logger)
      let taker = SnapshotTaker(
        driverName: driverName, client: client, driver: driver, contents: informer.cache, events: events,
        capacityChanged: capacityChanged)
      parts += [
        informer,
        Controller<ObjectKey>(name: "node-snapshots", workers: 4, of: informer, logger: logger) {
          try await taker.reconcile($0)
        },
      ]
      contents = informer
    }
    parts.append(
      LeakDetector(
        driver: driver, caches: caches, informers: [volumes] + (contents.map { [$0] } ?? []), contents: contents?.cache,
        events: events, logger: logger))
    try await ServiceSet(parts).run()
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

/// What a node's storage knows without asking.
struct NodeStorageCaches: Sendable {
  let claims: ObjectCache
  /// Those that lie on this node.
  let volumes: ObjectCache
  let classes: ObjectCache
  /// The node that the driver serves.
  let node: VolumeDriver.Node
}
