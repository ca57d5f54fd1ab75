/// Finds the cheapest moves that make room.
public struct RepairPlanner: Sendable {
  public var cost: RepairCost

  public init(cost: RepairCost = RepairCost()) { self.cost = cost }

  /// The cheapest single move that lets the need be met, or `nil`.
  public func oneMove(for need: RepairNeed, in engine: inout PlacementEngine) -> RepairPlan? {
    var best: RepairPlan?
    switch need {
    case .place(let demand):
      for node in 0..<engine.state.nodeCount where engine.state.isAvailable(node) {
        consider(making: demand, fitOn: node, in: &engine, &best)
      }
    case .grow(let id, let volume, let bytes):
      guard let allocation = engine.allocation(id) else { return nil }
      var grown = allocation.demand
      grown[volume].bytes = bytes
      // The growing one itself moves.
      let own = cost.of(allocation.demand.totalBytes)
      if let target = engine.choose(grown, excluding: allocation.node) {
        let move = Move(id: id, from: allocation.node, to: target, bytes: allocation.demand.totalBytes)
        best = RepairPlan(moves: [move], node: target, cost: own)
      }
      // Another one on its node moves.
      let extra = PlacementDemand(
        bytes: bytes - allocation.demand[volume].bytes, deviceClass: allocation.demand[volume].deviceClass)
      consider(making: extra, fitOn: allocation.node, except: id, in: &engine, &best)
    }
    return best
  }

  private func consider(
    making demand: PlacementDemand, fitOn node: Int, except growing: Int? = nil, in engine: inout PlacementEngine,
    _ best: inout RepairPlan?
  ) {
    for allocation in engine.allocationsBySize(on: node) where allocation.id != growing {
      guard allocation.reservedUntil == nil else { continue }
      let moving = cost.of(allocation.demand.totalBytes)
      if let best, best.cost <= moving { return }
      guard engine.state.fits(demand, on: node, without: allocation.demand) else { continue }
      guard let target = engine.choose(allocation.demand, excluding: node) else { continue }
      let move = Move(id: allocation.id, from: node, to: target, bytes: allocation.demand.totalBytes)
      best = RepairPlan(moves: [move], node: node, cost: moving)
      return
    }
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
