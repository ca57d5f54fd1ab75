import Synchronization

/// Ranks the nodes of a snapshot by expected loss, and remembers across questions what sizes are asked for.
///
/// For callers that keep their own picture of the cluster and their own reservations, as the pod scheduler does. Until
/// something large was asked for, it packs: small volumes go to the fullest node, and the large holes stay.
public final class ExpectedLossRanking: SnapshotRanking {
  private struct Knowledge: Sendable {
    var classes: [String: Int] = [:]
    var statistics = RequestStatistics(classCount: 0)
  }

  private let knowledge = Mutex(Knowledge())
  private let settings: ExpectedLossSettings

  public init(settings: ExpectedLossSettings = ExpectedLossSettings()) { self.settings = settings }

  /// Learns from a demand. To be called once for each, not for each attempt to place it.
  public func learn(_ demand: [String: [Int64]]) {
    knowledge.withLock { knowledge in
      let volumes = Self.volumes(demand, &knowledge)
      knowledge.statistics.learn(.requested(PlacementDemand(volumes: volumes)))
    }
  }

  public func rank(_ demand: [String: [Int64]], among nodes: [NodePools]) -> [PlacementChoice] {
    let (request, classes, statistics) = knowledge.withLock { knowledge in
      for node in nodes { for name in node.pools.keys.sorted() { Self.name(name, &knowledge) } }
      let volumes = Self.volumes(demand, &knowledge)
      return (PlacementDemand(volumes: volumes), knowledge.classes, knowledge.statistics)
    }
    let state = PlacementState(
      nodes: nodes.map { node in
        NodeDescription(
          name: node.node,
          pools: node.pools.sorted { $0.key < $1.key }.map { name, pool in
            PoolDescription(
              deviceClasses: classes[name].map { [$0] } ?? [], capacityBytes: max(0, pool.freeBytes),
              largestVolumeBytes: pool.largestVolumeBytes)
          })
      }, classCount: classes.count)
    var policy = ExpectedLossPolicy(settings: settings, statistics: statistics)
    policy.rebuild(from: state)
    let ranking = policy.rank(request, in: state)
    let reasons = PlacementReasons(request, ranking.map(\.node), statistics, state)
    return ranking.map { PlacementChoice(node: state.names[$0.node], reason: reasons.text(for: $0.node)) }
  }

  private static func volumes(_ demand: [String: [Int64]], _ knowledge: inout Knowledge) -> [VolumeRequest] {
    var volumes: [VolumeRequest] = []
    for (name, sizes) in demand.sorted(by: { $0.key < $1.key }) {
      let deviceClass = Self.name(name, &knowledge)
      volumes += sizes.map { VolumeRequest(deviceClass: deviceClass, bytes: $0) }
    }
    return volumes
  }

  /// The index of a class; a new name gets the next one.
  @discardableResult
  private static func name(_ name: String, _ knowledge: inout Knowledge) -> Int {
    if let known = knowledge.classes[name] { return known }
    let index = knowledge.classes.count
    knowledge.classes[name] = index
    knowledge.statistics.addClass()
    return index
  }
}
