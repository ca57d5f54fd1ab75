import Placement
import PlacementSimulator

/// What a study found.
public struct StudyResult: Sendable {
  public struct Outcome: Sendable {
    public var policy: StandardPolicy
    /// The name in tables and plots: the policy's, or that of a reference.
    public var label: String
    /// At the study's load or number of nodes, one per seed, in the order of the seeds.
    public var runs: [SimulationResult]
    /// Searched: the spare capacity needed as a share, by seed; `nil`: more than 80 %.
    public var spares: [Double?] = []
    /// Searched: the runs at the highest load that kept to the limits, one per seed that has one.
    public var limitRuns: [SimulationResult] = []
    /// Searched: the number of nodes needed, by seed; `nil`: not found.
    public var nodes: [Int?] = []

    public init(policy: StandardPolicy, label: String? = nil, runs: [SimulationResult]) {
      self.policy = policy
      self.label = label ?? policy.rawValue
      self.runs = runs
    }

    /// A figure of the runs, over the seeds.
    public func estimate(_ value: (SimulationResult) -> Double) -> Estimate? { Estimate(runs.map(value)) }

    /// A figure of the runs at the highest load that kept to the limits, over the seeds.
    public func limitEstimate(_ value: (SimulationResult) -> Double) -> Estimate? { Estimate(limitRuns.map(value)) }

    /// The spare needed; `nil` unless every seed has an answer.
    public var spare: Estimate? { Self.whole(spares) }
    public var nodesNeeded: Estimate? { Self.whole(nodes.map { $0.map(Double.init) }) }

    private static func whole(_ values: [Double?]) -> Estimate? {
      values.contains { $0 == nil } ? nil : Estimate(values.compactMap { $0 })
    }
  }

  /// What no policy can beat, whatever it knows and moves.
  public struct Bounds: Sendable {
    /// One per seed, at the study's load or number of nodes; empty where none was computed.
    public var runs: [SimulationResult.Bounds] = []
    /// Searched: the spare that any policy needs to keep to the limits, as a share, by seed.
    public var spares: [Double] = []
    /// Searched: the number of nodes that any policy needs to keep to the limits.
    public var nodes: Int?
    /// The number of nodes that any policy needs to refuse nothing.
    public var nodesL1: Int?
    public var nodesL2: Int?

    public var spare: Estimate? { Estimate(spares) }
    /// Refusals (Pending requests and failed expansions) per request that counts.
    public func refusals(_ result: StudyResult) -> Estimate? {
      guard let requests = result.outcomes.first?.runs.map(\.counts.requests), requests.count == runs.count else {
        return nil
      }
      return Estimate(
        zip(runs, requests).compactMap { bound, requests in
          bound.refusalsL2.map { requests == 0 ? 0 : Double($0) / Double(requests) }
        })
    }
  }

  public var study: Study
  public var outcomes: [Outcome]
  /// What is reachable if everything may be packed anew for nothing: a reference, not a bound.
  public var freeMoves: Outcome?
  public var bounds = Bounds()

  public init(study: Study, outcomes: [Outcome]) {
    self.study = study
    self.outcomes = outcomes
  }

  /// The size from which a request counts as large.
  public var largeBytes: Int64 { outcomes.first?.runs.first?.largeBytes ?? 0 }
  var hasExpansions: Bool { outcomes.contains { $0.runs.contains { $0.counts.expansions > 0 } } }
  var hasMoves: Bool { outcomes.contains { $0.runs.contains { $0.counts.moves > 0 } } }
  var hasLosses: Bool { outcomes.contains { $0.runs.contains { $0.counts.lostRequests > 0 } } }
  var hasDrains: Bool { outcomes.contains { $0.runs.contains { $0.counts.drained + $0.counts.undrained > 0 } } }
  /// Whether a spare was searched for, and whether a number of nodes was.
  var hasSpares: Bool { outcomes.contains { !$0.spares.isEmpty } }
  var hasNodes: Bool { outcomes.contains { !$0.nodes.isEmpty } }

  /// The figure by which policies are compared, of each seed, and its name.
  var criterion: (name: String, format: Criterion, values: (Outcome) -> [Double?]) {
    if hasSpares { return ("spare capacity needed", .share, { $0.spares }) }
    if hasNodes { return ("nodes needed", .count, { $0.nodes.map { $0.map(Double.init) } }) }
    return ("Pending", .share, { $0.runs.map(\.counts.pendingRate) })
  }

  enum Criterion { case share, count }
}
