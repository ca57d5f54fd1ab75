extension RepairPlanner {
  /// Plans that each make room for at least one more demand like the given one, the cheapest first; each as if those before it
  /// were done. What fits already counts as taken, so no plan pays for its room with room that is there.
  ///
  /// Plans on a copy: the engine is not changed.
  /// - Returns: at most `count` plans, with how many more of the demand fit after each.
  public func plansForMore(
    of demand: PlacementDemand, count: Int, maximumMoves: Int = 1, in engine: PlacementEngine
  ) -> [(plan: RepairPlan, gained: Int)] {
    guard demand.totalBytes > 0 else { return [] }
    var copy = engine
    // Held places have ids below all others.
    var nextID = min(0, (0..<engine.state.nodeCount).flatMap { engine.allocations(on: $0) }.map(\.id).min() ?? 0) - 1
    _ = fill(&copy, with: demand, &nextID)
    var plans: [(plan: RepairPlan, gained: Int)] = []
    while plans.count < count, let plan = plan(for: .place(demand), maximumMoves: maximumMoves, in: &copy) {
      for move in plan.moves { guard (try? copy.move(move.id, to: move.to)) != nil else { return plans } }
      let gained = fill(&copy, with: demand, &nextID)
      guard gained > 0 else { return plans }
      plans.append((plan, gained))
    }
    return plans
  }

  /// Holds every place that the demand still fits in, and returns how many there were.
  private func fill(_ engine: inout PlacementEngine, with demand: PlacementDemand, _ nextID: inout Int) -> Int {
    var filled = 0
    for node in 0..<engine.state.nodeCount {
      while engine.state.fits(demand, on: node), (try? engine.hold(demand, id: nextID, on: node)) != nil {
        nextID -= 1
        filled += 1
      }
    }
    return filled
  }
}
