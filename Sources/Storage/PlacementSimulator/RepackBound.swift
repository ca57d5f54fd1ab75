import Placement

/// How many requests and expansions would have failed if everything could be moved for nothing, whenever something does
/// not fit: a repack of all that lives by best-fit decreasing.
///
/// Reachable, not a proof: a better packing than best-fit decreasing may exist. It is what migration without cost buys.
public struct RepackBound: Sendable, Hashable {
  public private(set) var requests = 0
  public private(set) var pending = 0
  public private(set) var expansions = 0
  public private(set) var failedExpansions = 0

  /// - Parameter warmupRequests: the first so many requests are not counted.
  public init(
    _ workload: any Workload, seed: UInt64 = 1, cluster: SimulatedCluster, warmupRequests: Int = 0,
    maximumRequests: Int = .max
  ) throws {
    var engine = PlacementEngine(
      nodes: cluster.nodes, classCount: cluster.deviceClasses.count, policy: BestFitPolicy())
    var seen = 0
    var events = try workload.events(seed: seed)
    while let event = try events.next() {
      switch event.change {
      case .arrive(let demand):
        if seen >= maximumRequests { return }
        seen += 1
        let counts = seen > warmupRequests
        if counts { requests += 1 }
        if let node = engine.choose(demand) {
          try engine.place(demand, id: event.id, on: node)
        } else if let repacked = Self.repack(engine, cluster, adding: (event.id, demand)) {
          engine = repacked
        } else if counts {
          pending += 1
        }
      case .grow(let volume, let bytes):
        guard let allocation = engine.allocation(event.id), volume < allocation.demand.count else { continue }
        let counts = seen > warmupRequests
        if counts { expansions += 1 }
        guard try !engine.grow(event.id, volume: volume, toBytes: bytes) else { continue }
        var grown = allocation.demand
        grown[volume].bytes = bytes
        if let repacked = Self.repack(engine, cluster, adding: (event.id, grown)) {
          engine = repacked
        } else if counts {
          failedExpansions += 1
        }
      case .delete: _ = try? engine.release(event.id)
      case .nodeLost, .nodeReturned, .drain: continue
      }
    }
  }

  /// Everything anew, the largest first; `nil` where not all fits. A demand of the same id replaces the old one.
  private static func repack(
    _ engine: PlacementEngine, _ cluster: SimulatedCluster, adding: (id: Int, demand: PlacementDemand)
  ) -> PlacementEngine? {
    var all = (0..<engine.state.nodeCount).flatMap { engine.allocations(on: $0) }.map { ($0.id, $0.demand) }
    all.removeAll { $0.0 == adding.id }
    all.append((adding.id, adding.demand))
    guard all.reduce(0, { $0 + $1.1.totalBytes }) <= cluster.capacityBytes else { return nil }
    all.sort { ($1.1.totalBytes, $0.0) < ($0.1.totalBytes, $1.0) }
    var packed = PlacementEngine(
      nodes: cluster.nodes, classCount: cluster.deviceClasses.count, policy: BestFitPolicy())
    for (id, demand) in all {
      guard let node = packed.choose(demand), (try? packed.place(demand, id: id, on: node)) != nil else { return nil }
    }
    return packed
  }
}
