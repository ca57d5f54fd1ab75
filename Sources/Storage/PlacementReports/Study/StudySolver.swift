import Placement
import PlacementSimulator

/// Runs one policy, or a reference, over all seeds of a study.
struct StudySolver: Sendable {
  let study: Study
  let making: StudyRunner.Making
  let largeBytes: Int64
  /// How many requests a recorded history has.
  let requests: Int
  let steps: StudyRunner.Steps

  /// More numbers of how full nodes are are not kept: then only of the first seed.
  private static let mostNodeSamples = 20_000_000

  func outcome(_ policy: StandardPolicy) throws -> StudyResult.Outcome {
    try solve(policy, label: policy.rawValue, repair: study.repair) { making(policy, $0, $1) }
  }

  /// The default policy, and whatever does not fit has everything packed anew.
  func freeMoves() throws -> StudyResult.Outcome {
    try solve(.standard, label: "free moves", repair: .repack) { making(.standard, $0, $1) }
  }

  private func solve(
    _ policy: StandardPolicy, label: String, repair: SimulationOptions.Repair,
    make: (Int, UInt64) -> any PlacementPolicy
  ) throws -> StudyResult.Outcome {
    var outcome = StudyResult.Outcome(policy: policy, label: label, runs: [])
    var guess: Double?
    for (index, seed) in study.seeds.enumerated() {
      defer { steps.finish(label) }
      if index > 0, isSame(for: policy) {
        outcome.repeatLast(seed: seed)
        continue
      }
      var options = options(seed, repair)
      options.recordsNodes = index == 0 || recordsAllSeeds
      outcome.runs.append(try simulate(make, study.workload, study.cluster, options))
      guard study.search == .spare else { continue }
      options.recordsNodes = false
      options.samples = 1
      switch study.scenario {
      case .described(let workload, let cluster, _):
        stopEarly(&options, workload)
        let search = study.spareSearch
        let found = try search.highestLoad(guess: guess) { load in
          var scaled = workload
          scaled.setLoad(load, capacityBytes: cluster.capacityBytes)
          return try simulate(make, scaled, cluster, options)
        }
        guess = found.load
        outcome.spares.append(found.result == nil ? nil : found.spare)
        if let result = found.result { outcome.limitRuns.append(result) }
      case .history(let workload, let node, let classes, let count):
        options.stopAfterPending = Int(study.pendingLimit * Double(requests))
        let search = NodeSearch(
          pendingLimit: study.pendingLimit, failedExpansionLimit: study.failedExpansionLimit)
        let found = try search.leastNodes(guess: guess.map { Int($0) } ?? count) { count in
          try simulate(make, workload, Study.cluster(of: node, classes, count), options)
        }
        guess = found.map(Double.init)
        outcome.nodes.append(found)
      }
    }
    return outcome
  }

  /// Whether every seed gives the same: a history is what it is, and only some policies draw lots.
  private func isSame(for policy: StandardPolicy) -> Bool {
    if case .history = study.scenario { return !policy.drawsLots }
    return false
  }

  private var recordsAllSeeds: Bool {
    study.cluster.nodes.count * 2 * Self.samples * study.seeds.count * (study.policies.count + 1)
      <= Self.mostNodeSamples
  }

  private static let samples = 150

  private func options(_ seed: UInt64, _ repair: SimulationOptions.Repair) -> SimulationOptions {
    SimulationOptions(
      seed: seed, warmupRequests: study.warmupRequests, repair: repair, largeBytes: largeBytes, samples: Self.samples)
  }

  /// All that a search needs to know is that a limit is broken: beyond these numbers the run has failed, because more
  /// requests or expansions than there can be would have to follow.
  private func stopEarly(_ options: inout SimulationOptions, _ workload: WorkloadDescription) {
    let counted = Double(workload.requests - study.warmupRequests)
    options.stopAfterPending = Int(study.pendingLimit * counted) + 1
    guard let growth = workload.growth else { return }
    let most = Double(workload.requests) * min(1, growth.probability * 1.1 + 0.01)
    options.stopAfterFailedExpansions = Int(study.failedExpansionLimit * most) + 1
  }

  private func simulate(
    _ make: (Int, UInt64) -> any PlacementPolicy, _ workload: any Workload, _ cluster: SimulatedCluster,
    _ options: SimulationOptions
  ) throws -> SimulationResult {
    let result = try Simulator.run(
      policy: make(cluster.deviceClasses.count, options.seed), workload: workload, cluster: cluster, options: options,
      progress: { _ in !Task.isCancelled })
    try Task.checkCancellation()
    return result
  }

  // MARK: Bounds

  func bounds() throws -> StudyResult.Bounds {
    var bounds = StudyResult.Bounds()
    var guess: Double?
    for (index, seed) in study.seeds.enumerated() {
      defer { steps.finish("bounds") }
      try Task.checkCancellation()
      if case .history = study.scenario, index > 0 {
        if let first = bounds.runs.first { bounds.runs.append(first) }
        continue
      }
      let cluster = study.cluster
      var run = SimulationResult.Bounds()
      let refusals = try refusalBound(study.workload, seed)
      let least = refusals?.refusals(on: cluster)
      (run.refusalsL1, run.refusalsL2) = (least?.l1, least?.l2)
      let nodes = try nodeBounds(seed, requests: refusals?.requests ?? .max)
      (run.nodesL1, run.nodesL2) = (nodes?.l1, nodes?.l2)
      bounds.runs.append(run)
      guard study.search == .spare, let refusals else { continue }
      switch study.scenario {
      case .described(let workload, let cluster, _):
        let load = try study.spareSearch.highest(guess: guess) { load in
          var scaled = workload
          scaled.setLoad(load, capacityBytes: cluster.capacityBytes)
          return try allows(refusalBound(scaled, seed), cluster)
        }
        guess = load
        // At the end of what is searched nothing is proven.
        let (range, steps) = (study.spareSearch.loads, Double(1 << study.spareSearch.bisections))
        let isAtEnd = range.upperBound - load < 1.5 * (range.upperBound - range.lowerBound) / steps
        bounds.spares.append(isAtEnd ? 0 : 1 - load)
      case .history(_, let node, let classes, _):
        guard let most = run.nodesL2 else { continue }
        var (tooFew, enough) = (0, most)
        while enough - tooFew > 1 {
          let count = (tooFew + enough) / 2
          if allows(refusals, Study.cluster(of: node, classes, count)) { enough = count } else { tooFew = count }
        }
        bounds.nodes = enough
      }
    }
    bounds.nodesL1 = bounds.runs.compactMap(\.nodesL1).max()
    bounds.nodesL2 = bounds.runs.compactMap(\.nodesL2).max()
    return bounds
  }

  private func refusalBound(_ workload: any Workload, _ seed: UInt64) throws -> RefusalBound? {
    try RefusalBound(
      workload, seed: seed, classCount: study.cluster.deviceClasses.count, warmupRequests: study.warmupRequests)
  }

  private func allows(_ bound: RefusalBound?, _ cluster: SimulatedCluster) -> Bool {
    bound?.allows(
      pendingLimit: study.pendingLimit, failedExpansionLimit: study.failedExpansionLimit, on: cluster) ?? true
  }

  /// For equal nodes with one pool.
  private func nodeBounds(_ seed: UInt64, requests: Int) throws -> NodeBounds? {
    let pools = Set(study.cluster.nodes.map(\.pools))
    guard pools.count == 1, let pool = pools.first?.first, pools.first?.count == 1 else { return nil }
    // L2 is a bound at each moment that is looked at; a short history can be looked at often.
    return try NodeBounds(
      study.workload, seed: seed, capacityBytes: pool.capacityBytes, every: min(200, max(1, requests / 500)))
  }
}

extension StudyResult.Outcome {
  /// Another seed that gives the same.
  fileprivate mutating func repeatLast(seed: UInt64) {
    if var run = runs.last {
      run.seed = seed
      runs.append(run)
    }
    if let last = nodes.last { nodes.append(last) }
  }
}

extension Study {
  /// The events of the plain runs.
  var workload: any Workload {
    switch scenario {
    case .described(let workload, _, _): workload
    case .history(let workload, _, _, _): workload
    }
  }

  /// So many requests are not counted while the cluster fills.
  var warmupRequests: Int {
    guard case .described(let workload, _, _) = scenario else { return 0 }
    return Int(Double(workload.requests) * warmup)
  }

  var spareSearch: SpareSearch {
    SpareSearch(pendingLimit: pendingLimit, failedExpansionLimit: failedExpansionLimit)
  }
}
