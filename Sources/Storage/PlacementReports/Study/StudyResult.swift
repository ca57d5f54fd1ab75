import Placement
import PlacementSimulator

/// What a study found.
public struct StudyResult: Sendable {
  public struct Outcome: Sendable {
    public var policy: StandardPolicy
    /// At the study's load or number of nodes, one per seed, in the order of the seeds.
    public var runs: [SimulationResult]
    /// Searched: the spare capacity needed as a share, by seed; `nil`: more than 80 %.
    public var spares: [Double?] = []
    /// Searched: the number of nodes needed, by seed; `nil`: not found.
    public var nodes: [Int?] = []

    /// A figure of the runs, over the seeds.
    public func estimate(_ value: (SimulationResult) -> Double) -> Estimate? { Estimate(runs.map(value)) }

    /// The spare needed; `nil` unless every seed has an answer.
    public var spare: Estimate? { Self.whole(spares) }
    public var nodesNeeded: Estimate? { Self.whole(nodes.map { $0.map(Double.init) }) }

    private static func whole(_ values: [Double?]) -> Estimate? {
      values.contains { $0 == nil } ? nil : Estimate(values.compactMap { $0 })
    }
  }

  public var study: Study
  public var outcomes: [Outcome]

  public init(study: Study, outcomes: [Outcome]) {
    self.study = study
    self.outcomes = outcomes
  }

  /// The size from which a request counts as large.
  public var largeBytes: Int64 { outcomes.first?.runs.first?.largeBytes ?? 0 }
  var hasExpansions: Bool { outcomes.contains { $0.runs.contains { $0.counts.expansions > 0 } } }
  var hasMoves: Bool { outcomes.contains { $0.runs.contains { $0.counts.moves > 0 } } }
  /// Whether a spare was searched for, and whether a number of nodes was.
  var hasSpares: Bool { outcomes.contains { !$0.spares.isEmpty } }
  var hasNodes: Bool { outcomes.contains { !$0.nodes.isEmpty } }
  var bounds: SimulationResult.Bounds { outcomes.first?.runs.first?.bounds ?? SimulationResult.Bounds() }

  /// The figure by which policies are compared, of each seed, and its name.
  var criterion: (name: String, format: Criterion, values: (Outcome) -> [Double?]) {
    if hasSpares { return ("spare capacity needed", .share, { $0.spares }) }
    if hasNodes { return ("nodes needed", .count, { $0.nodes.map { $0.map(Double.init) } }) }
    return ("Pending", .share, { $0.runs.map(\.counts.pendingRate) })
  }

  enum Criterion { case share, count }
}
