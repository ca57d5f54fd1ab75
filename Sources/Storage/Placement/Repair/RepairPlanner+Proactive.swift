/// A move that is worth making though nothing is wrong.
public struct Improvement: Sendable, Hashable {
  public var move: Move
  /// By how much the policy's cost falls; in bytes of expected loss for expected-loss placement.
  public var gain: Double
}

extension RepairPlanner {
  /// The moves that lower the policy's cost most for what they cost themselves, one after the other, until the budget is
  /// spent or none gains more than `worth` times its own cost.
  ///
  /// For a quiet hour. Plans on a copy: the engine is not changed. The gain has a meaning for policies whose cost has
  /// one, such as `ExpectedLossPolicy` (bytes of loss in a mean lifetime).
  public func improvements(budgetBytes: Int64, worth: Double = 0.1, limit: Int = 10, in engine: PlacementEngine)
    -> [Improvement]
  {
    var copy = engine
    var left = budgetBytes
    var plan: [Improvement] = []
    var moved: Set<Int> = []
    while plan.count < limit, let next = best(within: left, worth: worth, except: moved, in: &copy) {
      guard (try? copy.move(next.move.id, to: next.move.to)) != nil else { break }
      moved.insert(next.move.id)
      left -= next.move.bytes
      plan.append(next)
    }
    return plan
  }

  private func best(
    within budget: Int64, worth: Double, except moved: Set<Int>, in engine: inout PlacementEngine
  ) -> Improvement? {
    var best: (improvement: Improvement, ratio: Double)?
    for node in 0..<engine.state.nodeCount {
      for allocation in engine.allocationsBySize(on: node) {
        let bytes = allocation.demand.totalBytes
        if bytes > budget { break }
        guard allocation.reservedUntil == nil, !moved.contains(allocation.id), bytes > 0,
          let gain = gain(of: allocation, in: &engine)
        else { continue }
        let ratio = gain.gain / cost.of(bytes)
        if ratio > max(worth, best?.ratio ?? 0) { best = (gain, ratio) }
      }
    }
    return best?.improvement
  }

  /// What the best other place for an allocation would gain; asked of the policy with the allocation taken out.
  private func gain(of allocation: Allocation, in engine: inout PlacementEngine) -> Improvement? {
    guard (try? engine.release(allocation.id)) != nil else { return nil }
    defer { engine.restore(allocation) }
    let ranking = engine.rank(allocation.demand)
    guard let best = ranking.first, best.node != allocation.node,
      let now = ranking.first(where: { $0.node == allocation.node }), now.cost > best.cost
    else { return nil }
    let move = Move(
      id: allocation.id, from: allocation.node, to: best.node, bytes: allocation.demand.totalBytes)
    return Improvement(move: move, gain: now.cost - best.cost)
  }
}
