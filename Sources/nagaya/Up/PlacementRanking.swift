import Placement
import PodScheduler

/// Lets the scheduler ask room Placement: its words for nodes and volumes on one side, numbers on the other.
struct PlacementRanking: VolumeNodeRanking {
  let policy: any SnapshotRanking

  func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode] {
    let sizes = Dictionary(grouping: demand.claims, by: \.pool).mapValues { $0.map(\.bytes) }
    let pools = nodes.map { node in
      NodePools(
        node: node.node,
        pools: node.pools.mapValues {
          NodePools.Pool(freeBytes: $0.freeBytes, largestVolumeBytes: $0.maximumVolumeBytes ?? $0.freeBytes)
        })
    }
    return policy.rank(sizes, among: pools).map { RankedNode(node: $0.node, reason: $0.reason) }
  }
}
