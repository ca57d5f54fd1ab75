import KubernetesAPI
public import KubernetesClient
public import Logging
import PodScheduler
public import ServiceLifecycle

/// What the cluster does for claims, volumes and snapshots, once for all nodes: default class, protection, the node of claims that
/// wait for no pod, binding, phases, and the object that announces the driver.
///
/// Making, growing and deleting is each node's own (`NodeStorageControllers`). It talks to no driver.
public struct StorageControllers: Service {
  private let client: KubernetesClient
  private let driverName: String
  private let logger: Logger

  public init(client: KubernetesClient, driverName: String = StorageAccess.driverName, logger: Logger) {
    self.client = client
    self.driverName = driverName
    self.logger = logger
  }

  public func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        try await client.begin("announcing the driver", logger: logger) { try await announce() }
        try await control()
      }
    } catch  where Task.isShuttingDownGracefully {
      // Asked to end, and ended: no failure.
    }
  }

  private func control() async throws {
    let claims = Informer(client, .persistentVolumeClaims, indexes: [.sources], logger: logger)
    let volumes = Informer(client, .persistentVolumes, indexes: [ExistingVolume.index], logger: logger)
    let classes = Informer(client, .storageClasses, logger: logger)
    let pods = Informer(client, .pods, indexes: [.claims], logger: logger)
    let capacities = Informer(client, .csiStorageCapacities, logger: logger)
    let snapshots = Informer(client, .volumeSnapshots, indexes: [.snapshotClaims], logger: logger)
    let contents = Informer(client, .volumeSnapshotContents, logger: logger)
    let snapshotClasses = Informer(client, .volumeSnapshotClasses, logger: logger)
    let caches = StorageCaches(
      claims: claims.cache, volumes: volumes.cache, classes: classes.cache, pods: pods.cache,
      capacities: capacities.cache, snapshots: snapshots.cache, snapshotContents: contents.cache,
      snapshotClasses: snapshotClasses.cache)
    let moves = Informer(client, .volumeMoves, logger: logger)
    let events = EventRecorder(client, component: "storage-controller", logger: logger)

    let binder = ClaimBinder(driverName: driverName, client: client, caches: caches, events: events)
    let claimController = Controller<ObjectKey>(
      name: "claims", workers: 4, of: claims, waitingFor: [volumes, classes, pods, capacities, snapshots, contents],
      logger: logger
    ) { try await binder.reconcile($0) }
    claimController.watch(volumes) { $0.claimKey.map { [$0] } ?? [] }
    claimController.watch(pods) { $0.claimKeys }
    let claimCache = claims.cache
    claimController.watch(classes) { _ in
      claimCache.list().filter { $0.phase != "Bound" }.map(\.key)
    }

    // What is to be made from something goes on when that is there.
    claimController.watch(snapshots) { snapshot in
      let source = CacheIndex.key(of: .snapshot(snapshot.name), in: snapshot.namespace)
      return claimCache.list(by: .sources, source).map(\.key)
    }
    claimController.watch(claims) { claim in
      claimCache.list(by: .sources, CacheIndex.key(of: .claim(claim.name), in: claim.namespace)).map(\.key)
    }

    let snapshotBinder = SnapshotBinder(driverName: driverName, client: client, caches: caches, events: events)
    let snapshotController = Controller<ObjectKey>(
      name: "snapshots", workers: 2, of: snapshots, waitingFor: [contents, snapshotClasses, claims, volumes],
      logger: logger
    ) { try await snapshotBinder.reconcile($0) }
    snapshotController.watch(contents) { SnapshotBinding.snapshotKey(of: $0).map { [$0] } ?? [] }
    let snapshotCache = snapshots.cache
    snapshotController.watch(claims) { snapshotCache.list(by: .snapshotClaims, $0.key.description).map(\.key) }
    snapshotController.watch(snapshotClasses) { _ in
      snapshotCache.list().filter { $0.status["readyToUse"].bool != true }.map(\.key)
    }

    let volumeReconciler = VolumeReconciler(driverName: driverName, client: client, caches: caches)
    let volumeController = Controller<ObjectKey>(
      name: "volumes", workers: 4, of: volumes, waitingFor: [claims], logger: logger
    ) { try await volumeReconciler.reconcile($0) }
    volumeController.watch(claims) { claim in
      var names = [StorageNames.volume(of: claim)]
      if let name = claim.spec["volumeName"].string, name != names[0] { names.append(name) }
      return names.map { ObjectKey(name: $0) }
    }
    let mover = MoveReconciler(
      driverName: driverName, client: client, caches: caches, moves: moves.cache, events: events)
    let moveController = Controller<ObjectKey>(
      name: "volume-moves", workers: 2, of: moves, waitingFor: [claims, volumes, pods], logger: logger
    ) { try await mover.reconcile($0) }
    moveController.watch(volumes) { $0.annotations[VolumeMove.annotation].map { [ObjectKey(name: $0)] } ?? [] }
    let maker = RoomMaker(client: client, caches: caches, moves: moves.cache, events: events)
    let roomController = Controller<ObjectKey>(
      name: "room", workers: 1, of: pods, waitingFor: [claims, volumes, classes, capacities, moves], logger: logger
    ) { try await maker.reconcile($0) }
    try await ServiceSet([
      claims, volumes, classes, pods, capacities, snapshots, contents, snapshotClasses, moves, events,
      claimController, volumeController, snapshotController, moveController, roomController,
    ]).run()
  }

  /// Makes the CSIDriver object.
  private func announce() async throws {
    var driver = KubernetesObject(.csiDrivers, name: driverName)
    driver.spec = [
      "attachRequired": false, "podInfoOnMount": false, "storageCapacity": true, "volumeLifecycleModes": ["Persistent"],
    ]
    _ = try await client.apply(driver, as: .csiDrivers)
  }
}
