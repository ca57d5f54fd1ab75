import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging

/// What room for new volumes depends on.
struct StorageInformers: Sendable {
  let claims: Informer
  let volumes: Informer
  let storageClasses: Informer
  let drivers: Informer
  let capacities: Informer
  /// Somebody says which node has what a claim is made from (`ClaimWishes.sourceNode`).
  let knowsSources: Bool

  init(_ client: KubernetesClient, knowsSources: Bool = false, logger: Logger) {
    self.knowsSources = knowsSources
    claims = Informer(client, .persistentVolumeClaims, logger: logger)
    volumes = Informer(client, .persistentVolumes, indexes: [ExistingVolume.index], logger: logger)
    storageClasses = Informer(client, .storageClasses, logger: logger)
    drivers = Informer(client, .csiDrivers, logger: logger)
    capacities = Informer(client, .csiStorageCapacities, logger: logger)
  }

  var all: [Informer] { [claims, volumes, storageClasses, drivers, capacities] }

  /// The claims of a pod, sorted by what they need.
  /// - Parameter claim: finds what is not known (yet).
  func volumes(
    of pod: KubernetesObject, claim: (ObjectKey) -> KubernetesObject? = { _ in nil }
  ) throws(PodVolumes.Obstacle) -> PodVolumes {
    try PodVolumes(
      of: pod, claim: { claims.cache.get($0) ?? claim($0) }, volume: { volumes.cache.get(name: $0) },
      storageClass: { storageClasses.cache.get(name: $0) },
      existing: { ExistingVolume.candidates(for: $0, in: volumes.cache) }, waitsForSources: knowsSources)
  }
}

/// The one ledger of room for volumes that are to be made: what drivers publish, less what is promised; and what the ranking
/// learns from. The scheduler decides by it, and the extender and the webhook of somebody else's scheduler.
struct StorageLedger: Sendable {
  let informers: StorageInformers
  let reservations: VolumeReservations
  let ranking: any VolumeNodeRanking
  private let history = ClaimHistory()
  private let capacities = PublishedCapacities()

  init(_ informers: StorageInformers, ranking: any VolumeNodeRanking, reservations: VolumeReservations? = nil) {
    self.informers = informers
    self.ranking = ranking
    let classes = informers.storageClasses.cache
    self.reservations =
      reservations
      ?? VolumeReservations(poolOf: { name in
        classes.get(name: name).map(StoragePool.name) ?? name
      })
  }

  /// What nodes have in the pools of these claims, by node: published capacity less what is promised to others. Pools whose
  /// drivers publish nothing are left out.
  func storage(for unbound: [PodVolumes.Unbound], on nodes: [NodeState]) -> [String: NodeStorage] {
    let tracked = unbound.map(\.storageClass).filter(publishes)
    let promises = reservations.promised(except: Set(unbound.map(\.claim.uid)))
    let capacities = capacities.now
    var all: [String: NodeStorage] = [:]
    for node in nodes {
      var pools: [String: NodeStorage.Pool] = [:]
      for storageClass in tracked {
        let pool = StoragePool.name(for: storageClass)
        pools[pool] = capacities.pool(
          of: storageClass.name, on: node,
          reserved: promises.bytes(ofPool: pool, storageClass: storageClass.name, on: node.name))
      }
      all[node.name] = NodeStorage(node: node.name, pools: pools)
    }
    return all
  }

  /// Whether the driver of a class says what it has left.
  func publishes(_ storageClass: KubernetesObject) -> Bool {
    informers.drivers.cache.get(name: storageClass["provisioner"].string ?? "")?.spec["storageCapacity"].bool == true
  }

  // MARK: What happens

  /// A claim changed, or went.
  func claimChanged(_ event: InformerEvent) -> VolumeReservations.Change {
    let claim = event.object
    let change: VolumeReservations.Change
    if case .deleted = event {
      change = .init(isReleased: reservations.release([claim.uid]))
    } else {
      change = reservations.observe(claim)
    }
    learn(event)
    return change
  }

  /// A driver published what is free, or took it back.
  /// - Parameter labels: of a node.
  /// - Returns: whether there may be more room.
  func capacityChanged(_ event: InformerEvent, labels: (String) -> [String: String]?) -> Bool {
    let capacity = event.object
    if case .deleted = event {
      capacities.change { $0.remove(capacity.key) }
      reservations.capacityRemoved(capacity.key)
      return false
    }
    capacities.change { $0.set(capacity) }
    if let selector = CapacityIndex.selector(of: capacity) {
      reservations.capacityChanged(capacity) { labels($0).map(selector.matches) ?? false }
    }
    return true
  }

  /// A class changed: claims may have been known before it was.
  func classChanged() {
    for claim in informers.claims.cache.list() { learn(.added(claim)) }
  }

  /// Lets the ranking learn from claims, from each once.
  private func learn(_ event: InformerEvent) {
    let claim = event.object
    let observation: VolumeObservation?
    if case .deleted = event {
      observation = history.end(claim.uid)
    } else {
      let storageClass = claim.spec["storageClassName"].string.flatMap { informers.storageClasses.cache.get(name: $0) }
      let isMade = storageClass.map { $0["provisioner"].string != ExistingVolume.noProvisioner } ?? false
      observation = history.observe(claim, pool: isMade ? storageClass.map(StoragePool.name) : nil)
    }
    if let observation { ranking.learn(observation) }
  }
}
