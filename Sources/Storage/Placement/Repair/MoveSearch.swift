/// The cheapest sequence of a few moves after which a demand fits on a node: depth first, bounded by the best so far.
///
/// Works on a scratch copy of the state, with moves applied and undone. A move's own room is made before it moves: while
/// others leave its target it still stands where it was, so every move of the plan fits when its turn comes.
struct MoveSearch {
  private var state: PlacementState
  private let cost: RepairCost
  /// By node: what stands there, the smallest first. Reserved and locked ones are left out: they don't move.
  private var standing: [[Allocation]]
  private var moves: [Move] = []
  private var spent = 0.0
  private(set) var best: RepairPlan?
  /// Search steps left; a plan found until then is good, but may not be the cheapest.
  private var steps: Int

  init(_ engine: PlacementEngine, cost: RepairCost, locked: Set<Int>, best: RepairPlan?, steps: Int) {
    state = engine.state
    self.cost = cost
    self.best = best
    self.steps = steps
    standing = (0..<engine.state.nodeCount).map { node in
      engine.allocationsBySize(on: node).filter { $0.reservedUntil == nil && !locked.contains($0.id) }
    }
  }

  /// Looks for plans of at most so many moves after which `demand` fits on `node`.
  mutating func search(_ demand: PlacementDemand, on node: Int, moves limit: Int) {
    makeRoom(demand, on: node, limit, owed: 0) { search in
      let plan = RepairPlan(moves: search.moves, node: node, cost: search.spent)
      if search.best.map({ plan.cost < $0.cost }) ?? true { search.best = plan }
    }
  }

  /// Calls `then` in every state, reached by moves, in which the demand fits on the node.
  /// - Parameter owed: moves of the limit that are still to be made for those for whom this makes room.
  private mutating func makeRoom(
    _ demand: PlacementDemand, on node: Int, _ limit: Int, owed: Int, then: (inout MoveSearch) -> Void
  ) {
    if state.fits(demand, on: node) { return then(&self) }
    let left = limit - moves.count - owed
    guard left > 0, state.isAvailable(node) else { return }
    for allocation in standing[node] {
      let price = cost.of(allocation.demand.totalBytes)
      // The smallest come first: all that follow cost at least as much.
      if let best, spent + price >= best.cost { return }
      // With the last move the room must be enough.
      if left == 1, !state.fits(demand, on: node, without: allocation.demand) { continue }
      for target in 0..<state.nodeCount where target != node {
        guard steps > 0 else { return }
        steps -= 1
        makeRoom(allocation.demand, on: target, limit, owed: owed + 1) { search in
          guard let index = search.standing[node].firstIndex(where: { $0.id == allocation.id }) else { return }
          search.apply(allocation, index, to: target, price)
          search.makeRoom(demand, on: node, limit, owed: owed, then: then)
          search.undo(allocation, index, to: target, price)
        }
      }
    }
  }

  private mutating func apply(_ allocation: Allocation, _ index: Int, to target: Int, _ price: Double) {
    let node = allocation.node
    state.give(allocation.demand, on: node, steps: allocation.steps)
    state.take(allocation.demand, on: target, steps: allocation.steps)
    // Nobody moves twice.
    standing[node].remove(at: index)
    moves.append(Move(id: allocation.id, from: node, to: target, bytes: allocation.demand.totalBytes))
    spent += price
  }

  private mutating func undo(_ allocation: Allocation, _ index: Int, to target: Int, _ price: Double) {
    let node = allocation.node
    spent -= price
    moves.removeLast()
    standing[node].insert(allocation, at: index)
    state.give(allocation.demand, on: target, steps: allocation.steps)
    state.take(allocation.demand, on: node, steps: allocation.steps)
  }
}
