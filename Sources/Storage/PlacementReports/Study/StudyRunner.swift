import Foundation
import Placement
import PlacementSimulator

/// Runs a study on all cores; the outcome does not depend on how many there are.
public struct StudyRunner: Sendable {
  /// How far it is: units done, of so many.
  public struct Progress: Sendable, Hashable {
    public var done: Int
    public var total: Int
    public var words: String
  }

  /// Units at a time.
  public var width: Int
  private let report: @Sendable (Progress) -> Void

  public init(
    width: Int = ProcessInfo.processInfo.activeProcessorCount,
    progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    self.width = max(1, width)
    report = progress
  }

  private struct Unit: Sendable {
    var policy: Int
    var seed: Int
  }

  private struct Answer: Sendable {
    var unit: Unit
    var run: SimulationResult
    var spare: Double??
    var nodes: Int??
  }

  /// - Throws: what the workload or the simulator throws; `CancellationError`.
  public func run(_ study: Study) async throws -> StudyResult {
    let units = study.policies.indices.flatMap { policy in
      study.seeds.indices.map { Unit(policy: policy, seed: $0) }
    }
    let largeBytes = try largeBytes(study)
    report(Progress(done: 0, total: units.count, words: ""))
    let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
      var waiting = units[...]
      for unit in waiting.prefix(width) { group.addTask { try solve(unit, study, largeBytes) } }
      waiting = waiting.dropFirst(width)
      var answers: [Answer] = []
      while let answer = try await group.next() {
        answers.append(answer)
        report(Progress(done: answers.count, total: units.count, words: study.policies[answer.unit.policy].rawValue))
        if let unit = waiting.popFirst() { group.addTask { try solve(unit, study, largeBytes) } }
      }
      return answers
    }
    let bounds = try bounds(study)
    var outcomes = outcomes(study, answers)
    for outcome in outcomes.indices {
      for run in outcomes[outcome].runs.indices { outcomes[outcome].runs[run].bounds = bounds }
    }
    return StudyResult(study: study, outcomes: outcomes)
  }

  private func outcomes(_ study: Study, _ answers: [Answer]) -> [StudyResult.Outcome] {
    study.policies.enumerated().map { index, policy in
      let mine = answers.filter { $0.unit.policy == index }.sorted { $0.unit.seed < $1.unit.seed }
      var outcome = StudyResult.Outcome(policy: policy, runs: mine.map(\.run))
      outcome.spares = mine.compactMap(\.spare)
      outcome.nodes = mine.compactMap(\.nodes)
      return outcome
    }
  }

  /// What no policy can beat on the history; nothing for described workloads, whose load is what is searched for.
  private func bounds(_ study: Study) throws -> SimulationResult.Bounds {
    var bounds = SimulationResult.Bounds()
    guard case .history(let workload, let node, let classes, _) = study.scenario, classes.count < 2,
      let capacity = node.pools.first?.capacityBytes
    else { return bounds }
    // L2 is a bound at each moment that is looked at; a short history can be looked at often.
    let requests = try WorkloadProfile(workload, seed: 1).requests
    let found = try TraceBounds(workload, capacityBytes: capacity, every: min(200, requests / 500))
    (bounds.nodesL1, bounds.nodesL2) = (found.l1, found.l2)
    return bounds
  }

  private func largeBytes(_ study: Study) throws -> Int64 {
    let seed = study.seeds.first ?? 1
    switch study.scenario {
    case .described(let workload, _, _): return try WorkloadProfile(workload, seed: seed).quantile(0.99)
    case .history(let workload, _, _, _): return try WorkloadProfile(workload, seed: seed).quantile(0.99)
    }
  }

  private func solve(_ unit: Unit, _ study: Study, _ largeBytes: Int64) throws -> Answer {
    let policy = study.policies[unit.policy]
    let seed = study.seeds[unit.seed]
    var answer: Answer
    switch study.scenario {
    case .described(let workload, let cluster, _):
      let options = options(study, seed, largeBytes, requests: workload.requests)
      answer = Answer(unit: unit, run: try simulate(policy, workload, cluster, options, recordsNodes: unit.seed == 0))
      guard study.search == .spare else { return answer }
      let search = SpareSearch(
        pendingLimit: study.pendingLimit, failedExpansionLimit: study.failedExpansionLimit)
      let found = try search.highestLoad { load in
        var scaled = workload
        scaled.setLoad(load, capacityBytes: cluster.capacityBytes)
        return try simulate(policy, scaled, cluster, options, search: study)
      }
      answer.spare = .some(found.result == nil ? nil : found.spare)
    case .history(let workload, let node, let classes, let count):
      let options = options(study, seed, largeBytes, requests: 0)
      let cluster = Study.cluster(of: node, classes, count)
      answer = Answer(unit: unit, run: try simulate(policy, workload, cluster, options, recordsNodes: unit.seed == 0))
      guard study.search == .spare else { return answer }
      let search = NodeSearch(pendingLimit: study.pendingLimit, failedExpansionLimit: study.failedExpansionLimit)
      let found = try search.leastNodes(guess: count) { count in
        try simulate(policy, workload, Study.cluster(of: node, classes, count), options, search: study)
      }
      answer.nodes = .some(found)
    }
    return answer
  }

  private func options(_ study: Study, _ seed: UInt64, _ largeBytes: Int64, requests: Int) -> SimulationOptions {
    SimulationOptions(
      seed: seed, warmupRequests: Int(Double(requests) * study.warmup), repair: study.repair, largeBytes: largeBytes,
      samples: 150)
  }

  private func simulate(
    _ policy: StandardPolicy, _ workload: any Workload, _ cluster: SimulatedCluster, _ options: SimulationOptions,
    recordsNodes: Bool = false, search: Study? = nil
  ) throws -> SimulationResult {
    var options = options
    options.recordsNodes = recordsNodes
    if let limit = search, case .described(let workload, _, _) = limit.scenario {
      // All that a search needs to know is that a limit is broken.
      let counted = Double(workload.requests) * (1 - limit.warmup)
      options.stopAfterPending = Int(limit.pendingLimit * counted) + 1
      options.samples = 1
    }
    let result = try Simulator.run(
      policy: policy.make(classCount: cluster.deviceClasses.count, seed: options.seed), workload: workload,
      cluster: cluster, options: options, progress: { _ in !Task.isCancelled })
    try Task.checkCancellation()
    return result
  }
}
