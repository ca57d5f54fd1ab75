import Placement
import PodScheduler

/// Lets the scheduler ask room Placement: its words for nodes and volumes on one side, numbers on the other.
///
/// It lives as long as the scheduler, because the ranking learns.
public struct PlacementRanking: VolumeNodeRanking {
  private let ranking: any SnapshotRanking

  public init(_ ranking: any SnapshotRanking) { self.ranking = ranking }
  public init(_ policy: SnapshotPolicy = .expectedLoss) { ranking = policy.ranking(seed: .random(in: .min ... .max)) }

  public func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode] {
    // Of pools whose driver publishes no figures nothing is known: they have no part in the order.
    let known = Set(nodes.flatMap(\.pools.keys))
    let sizes = Dictionary(grouping: demand.claims.filter { known.contains($0.pool) }, by: \.pool)
      .mapValues { $0.map(\.bytes) }
    guard !sizes.isEmpty else { return [] }
    let pools = nodes.map { node in
      NodePools(
        node: node.node,
        pools: node.pools.mapValues {
          NodePools.Pool(freeBytes: $0.freeBytes, largestVolumeBytes: $0.maximumVolumeBytes ?? $0.freeBytes)
        }, isCandidate: node.isCandidate)
    }
    return ranking.rank(sizes, among: pools).map { RankedNode(node: $0.node, reason: $0.reason) }
  }

  public func learn(_ observation: VolumeObservation) {
    switch observation {
    case .requested(let pool, let bytes): ranking.learn([pool: [bytes]])
    case .grew(let pool, let old, let new, let times):
      ranking.learnGrowth(of: pool, from: old, to: new, times: times)
    case .ended(let pool, let bytes, let times): ranking.learnEnd(of: pool, bytes: bytes, times: times)
    }
  }
}
