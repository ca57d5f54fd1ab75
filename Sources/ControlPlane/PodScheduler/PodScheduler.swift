import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Gives pods their nodes.
///
/// One pod at a time is decided; nothing is waited for: a pod whose volumes are being made comes back when one of its
/// claims changes, and a pod that fits nowhere when something changes that could help.
public struct PodScheduler: Service {
  /// Pods that name this scheduler, or none, are ours.
  public static let name = "default-scheduler"

  private let informers: SchedulerInformers
  private let controller: Controller<ObjectKey>
  private let events: EventRecorder

  /// - Parameters:
  ///   - ranking: which node's storage suits volumes best.
  ///   - pods: an informer of all pods, with `CacheIndex.claims`, that others use too and somebody else runs; `nil`: one of
  ///     its own.
  public init(
    _ client: KubernetesClient, ranking: any VolumeNodeRanking = MostFreeStorageRanking(), pods: Informer? = nil,
    nodes: Informer? = nil, logger: Logger
  ) {
    let informers = SchedulerInformers(client, pods: pods, nodes: nodes, logger: logger)
    let events = EventRecorder(client, component: Self.name, logger: logger)
    let binder = PodBinder(
      client: client, informers: informers, usage: ClusterUsage(),
      ledger: StorageLedger(informers.storage, ranking: ranking), events: events, logger: logger)
    let queue = WorkQueue<ObjectKey>()
    self.informers = informers
    self.events = events
    controller = Controller(
      name: "scheduler", workers: 1, queue: queue, waitingFor: informers.all,
      allKeys: { informers.unassigned() }, logger: logger
    ) { try await binder.schedule($0) }
    binder.follow(queue)
  }

  public var counters: Controller<ObjectKey>.Counts { controller.counters }

  public func run() async throws {
    try await ServiceSet(informers.own + [events, controller] as [any Service]).run()
  }
}

/// What the scheduler watches.
struct SchedulerInformers: Sendable {
  let pods: Informer
  let nodes: Informer
  let storage: StorageInformers
  /// Those that nobody else runs.
  let own: [any Service]

  init(_ client: KubernetesClient, pods: Informer?, nodes: Informer?, logger: Logger) {
    // Without the index no pod would be found by its claim.
    let pods = pods.flatMap { $0.cache.has(.claims) ? $0 : nil }
    self.pods = pods ?? Informer(client, .pods, indexes: [.claims], logger: logger)
    self.nodes = nodes ?? Informer(client, .nodes, logger: logger)
    storage = StorageInformers(client, knowsSources: true, logger: logger)
    own = (pods == nil ? [self.pods] : []) + (nodes == nil ? [self.nodes] : []) + storage.all
  }

  var all: [Informer] { [pods, nodes] + storage.all }

  /// Pods that wait for a node.
  func unassigned() -> [ObjectKey] { pods.cache.list().filter(PodBinder.isOurs).map(\.key) }
}
