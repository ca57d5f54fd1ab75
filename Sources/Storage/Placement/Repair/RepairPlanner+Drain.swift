/// How a node is emptied.
public struct DrainPlan: Sendable, Hashable {
  /// In the order in which they must be done; moves on other nodes, that make room, among them.
  public var moves: [Move]
  /// What no plan was found for, by id.
  public var stuck: [Int]

  public var movedBytes: Int64 { moves.reduce(0) { $0 + $1.bytes } }

  /// How long the owners stand still, in seconds, all together.
  public func downtimeSeconds(_ cost: RepairCost = RepairCost()) -> Double {
    moves.reduce(0) { $0 + cost.downtimeSeconds($1.bytes) }
  }
}

extension RepairPlanner {
  /// Moves everything off a node, the largest first; for each at most `maximumMoves` others move to make room.
  ///
  /// Plans on a copy: the engine is not changed. The node takes nothing new meanwhile.
  public func drain(_ node: Int, maximumMoves: Int = 1, in engine: PlacementEngine) -> DrainPlan {
    var copy = engine
    copy.setAvailable(false, node: node)
    var plan = DrainPlan(moves: [], stuck: [])
    for allocation in copy.allocationsBySize(on: node).reversed() {
      guard allocation.reservedUntil == nil else {
        plan.stuck.append(allocation.id)
        continue
      }
      if let target = target(for: allocation, maximumMoves, &copy, &plan) {
        make(Move(id: allocation.id, from: node, to: target, bytes: allocation.demand.totalBytes), &copy, &plan)
      } else {
        plan.stuck.append(allocation.id)
      }
    }
    plan.stuck.sort()
    return plan
  }

  private func target(
    for allocation: Allocation, _ maximumMoves: Int, _ engine: inout PlacementEngine, _ plan: inout DrainPlan
  ) -> Int? {
    if let node = engine.choose(allocation.demand) { return node }
    guard let repair = self.plan(for: .place(allocation.demand), maximumMoves: maximumMoves, in: &engine) else {
      return nil
    }
    for move in repair.moves { make(move, &engine, &plan) }
    return repair.node
  }

  private func make(_ move: Move, _ engine: inout PlacementEngine, _ plan: inout DrainPlan) {
    guard (try? engine.move(move.id, to: move.to)) != nil else { return }
    plan.moves.append(move)
  }
}
