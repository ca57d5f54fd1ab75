import JSONDocument
import Placement
import PlacementSimulator
import PlacementTraces

/// What a history says about the cluster that it ran on.
public struct Advice: Sendable {
  public var nodes: Int
  /// The least number of such nodes on which the history would have kept to the limits; `nil`: not found.
  public var nodesNeeded: Int?
  /// The most that was alive at one time, in bytes, and the cluster's capacity.
  public var peakBytes: Int64
  public var capacityBytes: Int64
  /// Bytes alive now.
  public var usedBytes: Int64
  public var pendingLimit: Double
  /// Seconds.
  public var leadTime: Double
  public var risks: [SizeRisk]
  public var deviceClasses: [String]
  /// What the moves make room for.
  public var movesFor: SizeRisk?
  public var moves: [HelpfulMove]
  /// What the reader must know.
  public var notes: [String]

  /// The share of the needed nodes' capacity that the peak leaves free.
  public var spareNeeded: Double? {
    nodesNeeded.map { needed in
      let capacity = Double(capacityBytes) / Double(max(1, nodes)) * Double(needed)
      return capacity > 0 ? max(0, 1 - Double(peakBytes) / capacity) : 0
    }
  }
}

/// Answers, from a history: how many nodes, how much risk, which moves.
public struct Advisor: Sendable {
  public var cluster: SimulatedCluster
  public var policy: StandardPolicy
  public var pendingLimit: Double
  /// How long it takes to get another node, in seconds.
  public var leadTime: Double
  /// Sizes that the table shows in any case, in bytes.
  public var sizes: [Int64]
  public var moveCount: Int
  public var repair: SimulationOptions.Repair

  public init(
    cluster: SimulatedCluster, policy: StandardPolicy = .standard, pendingLimit: Double = 0.001,
    leadTime: Double = 14 * 86_400, sizes: [Int64] = [], moveCount: Int = 3, repair: SimulationOptions.Repair = .none
  ) {
    self.cluster = cluster
    self.policy = policy
    self.pendingLimit = pendingLimit
    self.leadTime = leadTime
    self.sizes = sizes
    self.moveCount = moveCount
    self.repair = repair
  }

  /// - Parameter progress: called with the number of nodes that is being tried.
  public func advise(_ trace: TraceFile, progress: (Int) -> Void = { _ in }) throws -> Advice {
    let today = try ClusterToday(trace, on: cluster, policy: policy)
    let state = today.engine.state
    let summary = trace.summary
    let counts = try sizesByClass(trace.workload)
    let risks = SizeRisk.all(
      counts, seconds: summary.seconds, leadTime: leadTime, asked: sizes, state: state)
    let pressing = pressing(risks)
    let moves = pressing.map {
      HelpfulMoves(bytes: $0.bytes, deviceClass: $0.deviceClass).find(moveCount, in: today)
    }
    let used = (0..<state.poolCount).reduce(Int64(0)) {
      $0 + state.capacityBytes(ofPool: $1) - state.freeBytes(ofPool: $1)
    }
    return Advice(
      nodes: cluster.nodes.count, nodesNeeded: try nodesNeeded(trace, progress), peakBytes: summary.peakBytes,
      capacityBytes: cluster.capacityBytes, usedBytes: used, pendingLimit: pendingLimit, leadTime: leadTime,
      risks: risks,
      deviceClasses: cluster.deviceClasses, movesFor: pressing, moves: moves ?? [], notes: notes(trace, today))
  }

  /// The size that a reader worries about: what was asked for, else the likeliest to find no room; the larger of equals.
  private func pressing(_ risks: [SizeRisk]) -> SizeRisk? {
    let asked = risks.filter { sizes.contains($0.bytes) }
    return (asked.isEmpty ? risks : asked).max {
      ($0.probability ?? 0, -$0.slots, $0.bytes) < ($1.probability ?? 0, -$1.slots, $1.bytes)
    }
  }

  private func sizesByClass(_ workload: any Workload) throws -> [[Int64: Int]] {
    var counts = Array(repeating: [Int64: Int](), count: max(1, cluster.deviceClasses.count))
    var events = try workload.events(seed: 1)
    while let event = try events.next() {
      guard case .arrive(let demand) = event.change else { continue }
      for volume in demand.volumes where volume.deviceClass < counts.count {
        counts[volume.deviceClass][volume.bytes, default: 0] += 1
      }
    }
    return counts
  }

  private func nodesNeeded(_ trace: TraceFile, _ progress: (Int) -> Void) throws -> Int? {
    guard let node = cluster.nodes.first else { return nil }
    let workload = trace.workload
    return try NodeSearch(pendingLimit: pendingLimit).leastNodes(guess: cluster.nodes.count) { count in
      progress(count)
      return try Simulator.run(
        policy: policy.make(classCount: cluster.deviceClasses.count), workload: workload,
        cluster: Study.cluster(of: node, cluster.deviceClasses, count),
        options: SimulationOptions(repair: repair, largeBytes: 0, samples: 2), progress: { _ in !Task.isCancelled })
    }
  }

  private func notes(_ trace: TraceFile, _ today: ClusterToday) -> [String] {
    var notes = trace.summary.warnings.lines
    if !today.isAsRecorded {
      notes.append("where volumes stand today is replayed under the policy \(policy.rawValue), not observed")
    }
    if today.unplaced > 0 { notes.append("\(today.unplaced) living volumes found no room on these nodes") }
    if trace.summary.deletions == 0 {
      notes.append("nothing was ever deleted in this history: give more than one snapshot, taken some days apart")
    }
    if Set(cluster.nodes.map { $0.pools }).count > 1 {
      notes.append("nodes differ: the number of nodes needed is of nodes like \(cluster.nodes[0].name)")
    }
    return notes
  }
}
