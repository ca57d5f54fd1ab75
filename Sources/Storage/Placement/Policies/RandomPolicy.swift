/// Any fitting node, by lot. The control of every comparison.
public struct RandomPolicy: PlacementPolicy {
  public let name = "random"
  private var random: SeededRandom

  public init(seed: UInt64) { random = SeededRandom(seed: seed) }

  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    var lots = TieBreaker()
    for node in 0..<state.nodeCount where state.fits(demand, on: node) { lots.offer(node, cost: 0, &random) }
    return lots.best
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    let fitting = (0..<state.nodeCount).filter { state.fits(demand, on: $0) }
    return fitting.map { RankedPlacement(node: $0, cost: random.unit()) }
      .sorted { ($0.cost, $0.node) < ($1.cost, $1.node) }
  }
}

/// Keeps the node of least cost in one pass, and draws lots among equals.
struct TieBreaker {
  private(set) var best: Int?
  private var least = Double.infinity
  private var equals = 0.0

  /// The n-th of n equals replaces the choice with probability 1/n (reservoir sampling of size one).
  mutating func offer(_ node: Int, cost: Double, _ random: inout SeededRandom) {
    if best == nil || cost < least {
      (best, least, equals) = (node, cost, 1)
    } else if cost == least {
      equals += 1
      if random.unit() * equals < 1 { best = node }
    }
  }
}
