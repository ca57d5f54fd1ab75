import Placement

/// What migration without cost would buy: everything that lives is packed anew, by best-fit decreasing, whenever something
/// does not fit.
///
/// Reachable, not a bound: a better packing than best-fit decreasing may exist, and who refuses the right request early may
/// refuse fewer.
struct Repack {
  let cluster: SimulatedCluster

  /// Everything anew on the nodes that are available, the largest first; `nil` where not all fits.
  /// - Parameter need: of a request, it is placed besides all others; of an expansion, its volume has the new size.
  /// - Returns: the engine with all that lives, and the node of what was needed (already there, if it is an expansion).
  func pack(_ engine: PlacementEngine, for need: RepairNeed) -> (engine: PlacementEngine, node: Int)? {
    let state = engine.state
    var all = (0..<state.nodeCount).flatMap { engine.allocations(on: $0) }.map { (id: $0.id, demand: $0.demand) }
    let wanted: Int
    switch need {
    case .place(let demand):
      wanted = -1
      all.append((-1, demand))
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
    var target = 0
    for (id, demand) in all {
      guard let node = packed.choose(demand) else { return nil }
      if id == wanted { target = node }
      guard (try? packed.place(demand, id: id, on: node)) != nil else { return nil }
    }
    // The request itself is placed by whoever asked.
    if wanted == -1 { _ = try? packed.release(-1) }
    return (packed, target)
  }
}
