/// Any fitting node, by lot. The control of every comparison.
public struct RandomPolicy: PlacementPolicy {
  public let name = "random"
  private var random: SeededRandom

  public init(seed: UInt64) { random = SeededRandom(seed: seed) }

  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    var chosen: Int?
    var seen = 0
    for node in 0..<state.nodeCount where state.fits(demand, on: node) {
      seen += 1
      // One pass: the n-th fitting node replaces the choice with probability 1/n (reservoir sampling, size one).
      if seen == 1 || random.unit() * Double(seen) < 1 { chosen = node }
    }
    return chosen
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    let fitting = (0..<state.nodeCount).filter { state.fits(demand, on: $0) }
    return fitting.map { RankedPlacement(node: $0, cost: random.unit()) }
      .sorted { ($0.cost, $0.node) < ($1.cost, $1.node) }
  }
}

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

/// The node that keeps least: Best Fit of the bin-packing literature (Johnson 1974), by bytes.
public struct BestFitPolicy: NodeScoring {
  public let name: String

  public init() { name = "best-fit" }
  init(name: String) { self.name = name }

  public func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double {
    Double(state.scarcestFree(demand, on: node))
  }
}
