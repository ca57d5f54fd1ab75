/// The node that has most left in the scarcest pool the demand touches: "most free space first".
///
/// What KEP-4049 does in its default shape, without the rounding to whole percents.
public struct MostFreePolicy: NodeScoring {
  public let name = "most-free"

  public init() {}

  public func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double {
    -Double(state.scarcestFree(demand, on: node))
  }
}

/// The node that keeps least: Best Fit of the bin-packing literature, by bytes.
///
/// Source: D. S. Johnson, "Fast algorithms for bin packing", J. Computer and System Sciences 8 (1974).
public struct BestFitPolicy: NodeScoring {
  public let name = "best-fit"

  public init() {}

  public func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double {
    Double(state.scarcestFree(demand, on: node))
  }
}

/// Best fit among the nodes that keep a share of their pools free afterwards; where none does, the node that keeps most.
///
/// A fixed answer to growth that needs no learning: the share is all it knows about it.
public struct BestFitHeadroomPolicy: NodeScoring {
  public let name = "best-fit-headroom"
  /// The share of a pool's capacity that is to stay free, in `0...1`.
  public let headroom: Double

  public init(headroom: Double = 0.2) { self.headroom = headroom }

  public func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double {
    var least = Double.infinity
    var keeps = true
    for index in 0..<demand.count {
      guard let pool = state.pool(of: node, deviceClass: demand[index].deviceClass) else { continue }
      let left = Double(state.free[pool] - state.bytes(of: demand, inPool: pool, on: node))
      least = min(least, left)
      if left < headroom * Double(state.capacity[pool]) { keeps = false }
    }
    guard least.isFinite else { return 0 }
    // Nodes below the headroom stand behind all others: no pool is as large as 2^62 bytes.
    return keeps ? least : 0x1p62 - least
  }
}
