import Placement

/// A volume that could move, and what that would give.
public struct HelpfulMove: Sendable, Hashable {
  /// The volume's name, where the history has names.
  public var volume: String?
  public var from: String
  public var to: String
  public var bytes: Int64
  /// How many more volumes of the size asked about fit afterwards.
  public var slotsGained: Int
}

/// Finds single moves that make room for volumes of a size.
struct HelpfulMoves {
  let bytes: Int64
  let deviceClass: Int

  /// Nodes looked at for each move: those that lack least.
  private static let nodesLookedAt = 400

  /// The moves that gain most for the bytes they copy, each as if the ones before it were done.
  func find(_ count: Int, in today: ClusterToday) throws -> [HelpfulMove] {
    guard bytes > 0 else { return [] }
    var engine = today.engine
    var moves: [HelpfulMove] = []
    while moves.count < count, let best = best(in: engine) {
      moves.append(
        HelpfulMove(
          volume: today.names[best.id], from: engine.state.names[best.from], to: engine.state.names[best.to],
          bytes: best.bytes, slotsGained: best.gain))
      try engine.move(best.id, to: best.to)
    }
    return moves
  }

  private struct Candidate {
    var id: Int
    var from: Int
    var to: Int
    var bytes: Int64
    var gain: Int
  }

  private func best(in engine: PlacementEngine) -> Candidate? {
    let state = engine.state
    let free = (0..<state.nodeCount).map { node in
      state.isAvailable(node) ? state.pool(of: node, deviceClass: deviceClass).map { state.freeBytes(ofPool: $0) } : nil
    }
    let byDeficit = free.indices.filter { node in
      guard let pool = state.pool(of: node, deviceClass: deviceClass) else { return false }
      return free[node] != nil && state.capacityBytes(ofPool: pool) >= bytes
    }.sorted { deficit(free[$0]) < deficit(free[$1]) }
    var best: Candidate?
    for node in byDeficit.prefix(Self.nodesLookedAt) {
      guard let room = free[node] else { continue }
      let volumes = engine.allocations(on: node).filter { allocation in
        allocation.reservedUntil == nil && allocation.demand.volumes.allSatisfy { $0.deviceClass == deviceClass }
          && allocation.demand.totalBytes >= bytes - room % bytes
      }
      guard let volume = volumes.min(by: { $0.demand.totalBytes < $1.demand.totalBytes }) else { continue }
      let size = volume.demand.totalBytes
      guard let (target, loss) = target(for: volume.demand, from: node, free, state) else { continue }
      let gain = Int((room + size) / bytes - room / bytes) - loss
      guard gain > 0 else { continue }
      let isBetter = best.map { Double(gain) / Double(size) > Double($0.gain) / Double($0.bytes) } ?? true
      if isBetter { best = Candidate(id: volume.id, from: node, to: target, bytes: size, gain: gain) }
    }
    return best
  }

  /// What the node lacks for one more slot.
  private func deficit(_ free: Int64?) -> Int64 { free.map { bytes - $0 % bytes } ?? .max }

  /// Where a demand costs the fewest slots; among equals where it fits most tightly.
  private func target(
    for demand: PlacementDemand, from node: Int, _ free: [Int64?], _ state: PlacementState
  ) -> (node: Int, loss: Int)? {
    var best: (node: Int, loss: Int, left: Int64)?
    for other in free.indices where other != node {
      guard let room = free[other], state.fits(demand, on: other) else { continue }
      let left = room - demand.totalBytes
      let loss = Int(room / bytes - left / bytes)
      if best.map({ (loss, left) < ($0.loss, $0.left) }) ?? true { best = (other, loss, left) }
    }
    return best.map { ($0.node, $0.loss) }
  }
}
