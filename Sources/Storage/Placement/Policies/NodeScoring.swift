/// A policy that gives every node a cost of its own and takes the least; most policies in use are of this kind.
public protocol NodeScoring: PlacementPolicy {
  /// The cost of putting the demand on a node where it fits; smaller is better, ties go to the smaller index.
  func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double
}

extension NodeScoring {
  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    state.least(demand) { cost(of: demand, on: $0, in: state) }
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    state.ranking(of: demand) { cost(of: demand, on: $0, in: state) }
  }
}

extension PlacementState {
  /// The fitting node of least cost; ties go to the smaller index.
  @inline(__always)
  func least(_ demand: PlacementDemand, cost: (Int) -> Double) -> Int? {
    var best: Int?
    var least = Double.infinity
    for node in 0..<nodeCount where fits(demand, on: node) {
      let cost = cost(node)
      if best == nil || cost < least { (best, least) = (node, cost) }
    }
    return best
  }

  /// The fitting node of least cost; equals draw lots.
  @inline(__always)
  func leastByLot(_ demand: PlacementDemand, _ random: inout SeededRandom, cost: (Int) -> Double) -> Int? {
    var lots = TieBreaker()
    for node in 0..<nodeCount where fits(demand, on: node) { lots.offer(node, cost: cost(node), &random) }
    return lots.best
  }

  /// All fitting nodes by their cost, and among equals by index.
  func ranking(of demand: PlacementDemand, cost: (Int) -> Double) -> [RankedPlacement] {
    var ranking: [RankedPlacement] = []
    for node in 0..<nodeCount where fits(demand, on: node) {
      ranking.append(RankedPlacement(node: node, cost: cost(node)))
    }
    return ranking.sorted { ($0.cost, $0.node) < ($1.cost, $1.node) }
  }

  /// The least that any pool touched by the demand has left before the demand is placed, in bytes.
  func scarcestFree(_ demand: PlacementDemand, on node: Int) -> Int64 {
    var least = Int64.max
    for index in 0..<demand.count {
      guard let pool = pool(of: node, deviceClass: demand[index].deviceClass) else { continue }
      least = min(least, free[pool])
    }
    return least == .max ? 0 : least
  }
}
