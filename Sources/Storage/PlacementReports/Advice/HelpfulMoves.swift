import Placement

/// A volume that could move, and what that would give.
public struct HelpfulMove: Sendable, Hashable {
  /// The volume's name, where the history has names.
  public var volume: String?
  public var from: String
  public var to: String
  public var bytes: Int64
  /// How many more volumes of the size asked about fit afterwards; 0 for a move that only makes room for the next one.
  public var slotsGained: Int
  /// How long its owner stands still, in seconds.
  public var downtimeSeconds: Double
}

/// Finds moves that make room for volumes of a size, by the repair planner.
struct HelpfulMoves {
  let bytes: Int64
  let deviceClass: Int
  var planner = RepairPlanner()

  /// At most so many moves in a row that only together make room.
  private static let longest = 3

  /// The moves of the cheapest plans, each as if the ones before it were done: single moves; chains where no single one helps.
  func find(_ count: Int, in today: ClusterToday) -> [HelpfulMove] {
    guard count > 0 else { return [] }
    let demand = PlacementDemand(bytes: bytes, deviceClass: deviceClass)
    var plans = planner.plansForMore(of: demand, count: count, in: today.engine)
    if plans.isEmpty {
      plans = planner.plansForMore(of: demand, count: 1, maximumMoves: Self.longest, in: today.engine)
    }
    return plans.flatMap { plan, gained in
      plan.moves.enumerated().map { index, move in
        HelpfulMove(
          volume: today.names[move.id], from: today.engine.state.names[move.from],
          to: today.engine.state.names[move.to], bytes: move.bytes,
          slotsGained: index == plan.moves.count - 1 ? gained : 0,
          downtimeSeconds: planner.cost.downtimeSeconds(move.bytes))
      }
    }
  }
}
