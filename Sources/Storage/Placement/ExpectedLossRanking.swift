import Locking

/// Ranks the nodes of a snapshot by expected loss, and remembers across questions what sizes are asked for.
///
/// For callers that keep their own picture of the cluster and their own reservations, as the pod scheduler does. Until
/// something large was asked for, it expects that: small volumes go where they break the fewest large holes.
public final class ExpectedLossRanking: SnapshotRanking {
  private struct Knowledge: Sendable {
    var classes = SnapshotClasses()
    var statistics = RequestStatistics(classCount: 0)

    /// Every class that the indices name has statistics.
    mutating func prepareStatistics() {
      while statistics.sizes.count < classes.count { statistics.addClass() }
    }
  }

  private let knowledge = Mutex(Knowledge())
  private let settings: ExpectedLossSettings

  public init(settings: ExpectedLossSettings = ExpectedLossSettings()) { self.settings = settings }

  public func learn(_ demand: [String: [Int64]]) {
    knowledge.withLock { knowledge in
      let request = knowledge.classes.demand(demand)
      knowledge.prepareStatistics()
      knowledge.statistics.learn(.requested(request))
    }
  }

  public func learnGrowth(of storageClass: String, from old: Int64, to new: Int64, times: Int) {
    learn { .grew(deviceClass: $0.index(of: storageClass), fromBytes: old, toBytes: new, times: times) }
  }

  public func learnEnd(of storageClass: String, bytes: Int64, times: Int) {
    learn { .ended(deviceClass: $0.index(of: storageClass), bytes: bytes, times: times) }
  }

  private func learn(_ observation: (inout SnapshotClasses) -> PlacementObservation) {
    knowledge.withLock { knowledge in
      let observed = observation(&knowledge.classes)
      knowledge.prepareStatistics()
      knowledge.statistics.learn(observed)
    }
  }

  public func rank(_ demand: [String: [Int64]], among nodes: [NodePools]) -> [PlacementChoice] {
    let (request, state, statistics) = knowledge.withLock { knowledge in
      let request = knowledge.classes.demand(demand)
      let state = knowledge.classes.state(of: nodes)
      knowledge.prepareStatistics()
      return (request, state, knowledge.statistics)
    }
    let expected = Self.withUnseenSizes(statistics, state)
    var policy = ExpectedLossPolicy(settings: settings, statistics: expected)
    policy.rebuild(from: state)
    let ranking = policy.rank(request, in: state).map(\.node).filter { nodes[$0].isCandidate }
    // What was asked for speaks first; what may come only where that alone tells the nodes apart.
    var reasons = PlacementReasons(request, ranking, statistics, state)
    if !reasons.tellsApart {
      let others = PlacementReasons(request, ranking, expected, state)
      if others.tellsApart { reasons = others }
    }
    return ranking.map { PlacementChoice(node: state.names[$0], reason: reasons.text(for: $0)) }
  }

  /// What was learned, and one request each for the largest hole of every class, its half and its quarter, as far as
  /// they are well above everything that was asked for.
  ///
  /// What was never asked for may come next (the rule of succession, Laplace 1814). Without it a cold start keeps slots
  /// of the small sizes that it has seen, and nibbles at every large hole for their sake.
  private static func withUnseenSizes(_ learned: RequestStatistics, _ state: PlacementState) -> RequestStatistics {
    var statistics = learned
    for deviceClass in 0..<state.classCount {
      let hole =
        (0..<state.nodeCount).compactMap { state.pool(of: $0, deviceClass: deviceClass) }
        .map { min(state.free[$0], state.largest[$0]) }.max() ?? 0
      let sizes = deviceClass < learned.sizes.count ? learned.sizes[deviceClass].sizes() : []
      let known = sizes.last?.bytes ?? 0
      for unseen in [hole, hole / 2, hole / 4] where unseen > known + known / 2 {
        statistics.learn(.requested(PlacementDemand(bytes: unseen, deviceClass: deviceClass)))
      }
    }
    return statistics
  }
}
