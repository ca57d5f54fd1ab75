/// The three weights of OpenEBS LVM LocalPV; the node of the smallest weight wins. All three spread.
///
/// Source: openebs/lvm-localpv, `scheduler` parameter of the storage class.
public struct OpenEBSPolicy: NodeScoring {
  public enum Weight: String, Sendable, Hashable, CaseIterable {
    /// How many volumes the node has.
    case volumeWeighted = "openebs-volume"
    /// The sum of the bytes provisioned on the node.
    case capacityWeighted = "openebs-capacity"
    /// The largest number less the free space of the node's emptiest matching volume group; the default.
    case spaceWeighted = "openebs-space"
  }

  public let weight: Weight
  public var name: String { weight.rawValue }

  public init(_ weight: Weight = .spaceWeighted) { self.weight = weight }

  public func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double {
    switch weight {
    case .volumeWeighted:
      return Double(state.pools(of: node).reduce(0) { $0 + state.volumeCount(ofPool: $1) })
    case .capacityWeighted:
      return state.pools(of: node).reduce(0) { sum, pool in sum + state.usedBytes(ofPool: pool) }
    case .spaceWeighted:
      var most: Int64 = 0
      for index in 0..<demand.count {
        guard let pool = state.pool(of: node, deviceClass: demand[index].deviceClass) else { continue }
        most = max(most, state.free[pool])
      }
      return Double(Int64.max - most)
    }
  }
}

extension PlacementState {
  /// The sum of the volumes in a pool, in bytes.
  func usedBytes(ofPool pool: Int) -> Double { Double(capacity[pool] - free[pool]) }
}
