import Placement
import PlacementSimulator
import PlacementTraces

/// How the volumes of a history stand on the cluster today.
public struct ClusterToday: Sendable {
  public private(set) var engine: PlacementEngine
  /// Names by id, where the history has them.
  public private(set) var names: [Int: String] = [:]
  /// Volumes that are alive and found no room here.
  public private(set) var unplaced = 0
  /// The nodes are those that the claims themselves name, not a guess by replaying.
  public private(set) var isAsRecorded = false

  /// Volumes go where their claims say, if all those nodes are in the cluster; else the history is replayed under `policy`.
  public init(_ trace: TraceFile, on cluster: SimulatedCluster, policy: StandardPolicy) throws {
    engine = PlacementEngine(
      nodes: cluster.nodes, classCount: cluster.deviceClasses.count,
      policy: policy.make(classCount: cluster.deviceClasses.count))
    if case .claims(let history) = trace, let latest = history.latest, try place(latest, on: cluster) { return }
    try replay(trace.workload)
  }

  private mutating func place(_ snapshot: ClaimSnapshot, on cluster: SimulatedCluster) throws -> Bool {
    let indices = Dictionary(cluster.nodes.enumerated().map { ($0.element.name, $0.offset) }) { first, _ in first }
    let named = snapshot.claims.compactMap(\.node)
    guard !named.isEmpty, named.allSatisfy({ indices[$0] != nil }) else { return false }
    for (id, claim) in snapshot.claims.enumerated() {
      let demand = PlacementDemand(bytes: claim.bytes)
      names[id] = claim.name
      if let node = claim.node.flatMap({ indices[$0] }), engine.state.fits(demand, on: node) {
        try engine.place(demand, id: id, on: node)
      } else {
        unplaced += 1
      }
    }
    isAsRecorded = true
    return true
  }

  private mutating func replay(_ workload: any Workload) throws {
    var events = try workload.events(seed: 1)
    var waiting: Set<Int> = []
    while let event = try events.next() {
      switch event.change {
      case .arrive(let demand):
        if let node = engine.decide(demand) {
          try engine.place(demand, id: event.id, on: node)
        } else {
          waiting.insert(event.id)
        }
      case .delete:
        if waiting.remove(event.id) == nil, engine.allocation(event.id) != nil { try engine.release(event.id) }
      case .grow(let volume, let bytes):
        if engine.allocation(event.id) != nil { _ = try engine.grow(event.id, volume: volume, toBytes: bytes) }
      case .nodeLost, .nodeReturned, .drain: break
      }
    }
    unplaced = waiting.count
  }
}
