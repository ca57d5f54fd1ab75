/// Finds the cheapest moves that make room: for a demand that fits nowhere, for a volume that can't grow, for a node to be
/// emptied; and, while nothing is wrong, those that make the cluster better for what they cost.
///
/// What is only reserved is never moved, and counts as taken: no plan makes another promise impossible.
public struct RepairPlanner: Sendable {
  public var cost: RepairCost
  /// How far a search for chains goes; a million steps are some tenths of a second.
  public var maximumSteps: Int

  public init(cost: RepairCost = RepairCost(), maximumSteps: Int = 200_000) {
    self.cost = cost
    self.maximumSteps = maximumSteps
  }

  /// The cheapest plan of at most so many moves, or `nil` where there is none.
  ///
  /// One move is tried first; more only where one is not enough, since every move is a downtime for somebody.
  public func plan(for need: RepairNeed, maximumMoves: Int, in engine: inout PlacementEngine) -> RepairPlan? {
    guard maximumMoves > 0 else { return nil }
    if let plan = oneMove(for: need, in: &engine) { return plan }
    for moves in stride(from: 2, through: maximumMoves, by: 1) {
      if let plan = chain(for: need, moves: moves, in: engine) { return plan }
    }
    return nil
  }

  /// The cheapest single move that lets the need be met, or `nil`. Where the moved one goes is the policy's choice.
  public func oneMove(for need: RepairNeed, in engine: inout PlacementEngine) -> RepairPlan? {
    var best: RepairPlan?
    switch need {
    case .place(let demand):
      for node in 0..<engine.state.nodeCount where engine.state.isAvailable(node) {
        consider(demand, on: node, locked: nil, in: &engine, &best)
      }
    case .grow(let id, let volume, let bytes):
      guard let (allocation, grown, extra) = growth(id, volume, bytes, in: engine) else { return nil }
      // The growing one itself moves, to where it fits at its new size.
      if allocation.reservedUntil == nil, let target = engine.choose(grown, excluding: allocation.node) {
        let bytes = allocation.demand.totalBytes
        let move = Move(id: id, from: allocation.node, to: target, bytes: bytes)
        best = RepairPlan(moves: [move], node: target, cost: cost.of(bytes))
      }
      consider(extra, on: allocation.node, locked: id, in: &engine, &best)
    }
    return best
  }

  private func consider(
    _ demand: PlacementDemand, on node: Int, locked: Int?, in engine: inout PlacementEngine, _ best: inout RepairPlan?
  ) {
    for allocation in engine.allocationsBySize(on: node) where allocation.id != locked {
      let price = cost.of(allocation.demand.totalBytes)
      if let best, best.cost <= price { return }
      guard allocation.reservedUntil == nil, engine.state.fits(demand, on: node, without: allocation.demand),
        let target = engine.choose(allocation.demand, excluding: node)
      else { continue }
      let move = Move(id: allocation.id, from: node, to: target, bytes: allocation.demand.totalBytes)
      best = RepairPlan(moves: [move], node: node, cost: price)
      return
    }
  }

  private func chain(for need: RepairNeed, moves: Int, in engine: PlacementEngine) -> RepairPlan? {
    switch need {
    case .place(let demand):
      var search = MoveSearch(engine, cost: cost, locked: [], best: nil, steps: maximumSteps)
      for node in 0..<engine.state.nodeCount { search.search(demand, on: node, moves: moves) }
      return search.best
    case .grow(let id, let volume, let bytes):
      guard let (allocation, grown, extra) = growth(id, volume, bytes, in: engine) else { return nil }
      var search = MoveSearch(engine, cost: cost, locked: [id], best: nil, steps: maximumSteps)
      search.search(extra, on: allocation.node, moves: moves)
      guard allocation.reservedUntil == nil else { return search.best }
      // Room for the growing one elsewhere, and then its own move.
      let own = cost.of(allocation.demand.totalBytes)
      var elsewhere = MoveSearch(engine, cost: cost, locked: [id], best: nil, steps: maximumSteps)
      for node in 0..<engine.state.nodeCount where node != allocation.node {
        elsewhere.search(grown, on: node, moves: moves - 1)
      }
      guard var plan = elsewhere.best, search.best.map({ plan.cost + own < $0.cost }) ?? true else {
        return search.best
      }
      plan.moves.append(
        Move(id: id, from: allocation.node, to: plan.node, bytes: allocation.demand.totalBytes))
      plan.cost += own
      return plan
    }
  }

  private func growth(_ id: Int, _ volume: Int, _ bytes: Int64, in engine: PlacementEngine) -> (
    Allocation, grown: PlacementDemand, extra: PlacementDemand
  )? {
    guard let allocation = engine.allocation(id), volume >= 0, volume < allocation.demand.count else { return nil }
    let request = allocation.demand[volume]
    guard let pool = engine.state.pool(of: allocation.node, deviceClass: request.deviceClass) else { return nil }
    var grown = allocation.demand
    grown[volume].bytes = bytes
    // No room that is made helps a volume beyond the pool's largest: then only another node does.
    let possible = engine.state.largest[pool] >= bytes
    let extra = PlacementDemand(
      bytes: possible ? bytes - request.bytes : .max, deviceClass: request.deviceClass)
    return (allocation, grown, extra)
  }
}

extension PlacementState {
  /// Whether a demand would fit on a node that something which stands there has left.
  func fits(_ demand: PlacementDemand, on node: Int, without leaving: PlacementDemand) -> Bool {
    guard available[node], freeCPU[node] >= demand.milliCPU - leaving.milliCPU,
      freeMemory[node] >= demand.memoryBytes - leaving.memoryBytes
    else { return false }
    for index in 0..<demand.count {
      guard let pool = pool(of: node, deviceClass: demand[index].deviceClass), largest[pool] >= demand[index].bytes
      else { return false }
      let need = bytes(of: demand, inPool: pool, on: node)
      if free[pool] < need - bytes(of: leaving, inPool: pool, on: node) { return false }
    }
    return true
  }
}
