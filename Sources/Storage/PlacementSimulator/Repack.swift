import Placement

/// What migration without cost would buy: whenever something does not fit, and no single move makes room, everything that
/// lives is packed anew, by best-fit decreasing.
///
/// Reachable, not a bound: a better packing than best-fit decreasing may exist, and who refuses the right request early may
/// refuse fewer.
struct Repack {
  let cluster: SimulatedCluster

  /// Where everything goes on the nodes that are available, packed with the largest first.
  struct Packing {
    /// The node of each id that lives.
    var nodes: [Int: Int]
    /// The node that has room for what was needed.
    var needed: Int
  }

  /// - Returns: `nil` where not all fits.
  func pack(_ engine: PlacementEngine, for need: RepairNeed) -> Packing? {
    let state = engine.state
    var all = (0..<state.nodeCount).flatMap { engine.allocations(on: $0) }.map { (id: $0.id, demand: $0.demand) }
    let wanted: Int
    switch need {
    case .place(let demand):
      // Ids of requests are not below zero.
      wanted = -1
      all.append((wanted, demand))
    case .grow(let id, let volume, let bytes):
      wanted = id
      guard let index = all.firstIndex(where: { $0.id == id }) else { return nil }
      all[index].demand[volume].bytes = bytes
    }
    var room: Int64 = 0
    for node in 0..<state.nodeCount where state.isAvailable(node) {
      for pool in state.pools(of: node) { room += state.capacityBytes(ofPool: pool) }
    }
    guard all.reduce(0, { $0 + $1.demand.totalBytes }) <= room else { return nil }
    all.sort { ($1.demand.totalBytes, $0.id) < ($0.demand.totalBytes, $1.id) }
    var packed = PlacementEngine(
      nodes: cluster.nodes, classCount: cluster.deviceClasses.count, policy: BestFitPolicy())
    for node in 0..<state.nodeCount where !state.isAvailable(node) { packed.setAvailable(false, node: node) }
    var packing = Packing(nodes: [:], needed: 0)
    for (id, demand) in all {
      guard let node = packed.choose(demand), (try? packed.place(demand, id: id, on: node)) != nil else { return nil }
      if id == wanted { packing.needed = node }
      if id >= 0 { packing.nodes[id] = node }
    }
    return packing
  }
}
