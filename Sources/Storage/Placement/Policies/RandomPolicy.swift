/// Any fitting node, by lot. The control of every comparison.
public struct RandomPolicy: PlacementPolicy {
  public let name = "random"
  private var random: SeededRandom

  public init(seed: UInt64) { random = SeededRandom(seed: seed) }

  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    state.leastByLot(demand, &random) { _ in 0 }
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    state.ranking(of: demand) { _ in random.unit() }
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
