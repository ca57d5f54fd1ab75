import Synchronization

/// Ranks the nodes of a snapshot by expected loss, and remembers across questions what sizes are asked for.
///
/// For callers that keep their own picture of the cluster and their own reservations, as the pod scheduler does. Until
/// something large was asked for, it packs: small volumes go to the fullest node, and the large holes stay.
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
    var policy = ExpectedLossPolicy(settings: settings, statistics: statistics)
    policy.rebuild(from: state)
    let ranking = policy.rank(request, in: state).map(\.node).filter { nodes[$0].isCandidate }
    let reasons = PlacementReasons(request, ranking, statistics, state)
    return ranking.map { PlacementChoice(node: state.names[$0], reason: reasons.text(for: $0)) }
  }
}
