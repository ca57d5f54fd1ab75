import Placement
import PlacementSimulator

/// What is compared: policies, over seeds, in one scenario.
public struct Study: Sendable {
  public enum Scenario: Sendable {
    /// A described workload, whose load on the cluster can be set.
    case described(WorkloadDescription, SimulatedCluster, load: Double?)
    /// A recorded history, on so many equal nodes.
    case history(any Workload, node: NodeDescription, deviceClasses: [String], count: Int)
  }

  /// What is searched for, beside the runs at the given load or number of nodes.
  public enum Search: String, Sendable, Hashable, CaseIterable {
    case none
    /// The least spare capacity (described workloads) or number of nodes (histories) that keeps to the limits.
    case spare
  }

  /// Names files: letters, digits and dashes.
  public var name: String
  public var title: String
  public var scenario: Scenario
  public var policies: [StandardPolicy]
  public var seeds: [UInt64]
  /// Of the requests, which are not counted while the cluster fills.
  public var warmup: Double
  public var repair: SimulationOptions.Repair
  public var search: Search
  /// The share of requests that may be Pending.
  public var pendingLimit: Double
  /// The share of expansions that may fail.
  public var failedExpansionLimit: Double

  public init(
    name: String, title: String, scenario: Scenario, policies: [StandardPolicy], seeds: [UInt64], warmup: Double = 0.25,
    repair: SimulationOptions.Repair = .none, search: Search = .none, pendingLimit: Double = 0.001,
    failedExpansionLimit: Double = 0.01
  ) {
    self.name = name
    self.title = title
    self.scenario = scenario
    self.policies = policies
    self.seeds = seeds
    self.warmup = warmup
    self.repair = repair
    self.search = search
    self.pendingLimit = pendingLimit
    self.failedExpansionLimit = failedExpansionLimit
  }

  /// The cluster of the plain runs.
  public var cluster: SimulatedCluster {
    switch scenario {
    case .described(_, let cluster, _): cluster
    case .history(_, let node, let classes, let count): Self.cluster(of: node, classes, count)
    }
  }

  /// Equal nodes, named `node-1`, `node-2`, …
  static func cluster(of node: NodeDescription, _ classes: [String], _ count: Int) -> SimulatedCluster {
    SimulatedCluster(
      deviceClasses: classes,
      nodes: (0..<count).map { index in
        var copy = node
        copy.name = "node-\(index + 1)"
        return copy
      })
  }

  /// One line that says what runs where: `20 nodes of 2000 GiB, load 0.84, 200,000 requests, 10 seeds`.
  public var summary: String { "\(setting(withLoad: true)), \(seeds.count) \(seeds.count == 1 ? "seed" : "seeds")" }

  /// The same without the seeds, and without the load or the number of nodes where it was searched for.
  func setting(withLoad: Bool, withCount: Bool = true) -> String {
    let cluster = cluster
    let sizes = Set(cluster.nodes.map { $0.pools.reduce(0) { $0 + $1.capacityBytes } })
    var text = withCount ? "\(cluster.nodes.count) nodes" : "Nodes"
    if sizes.count == 1, let size = sizes.first { text += " of \(Bytes.text(size))" }
    switch scenario {
    case .described(let workload, _, let load):
      if withLoad, let load { text += ", load \(Percent.text(load))" }
      text += ", \(Whole.text(workload.requests)) requests"
      if let growth = workload.growth {
        text += ", \(Percent.text(growth.probability)) of them grow by \(growth.factor)×"
      }
    case .history: text += ", a recorded history"
    }
    if case .moves(let most) = repair { text += ", at most \(most) \(most == 1 ? "move" : "moves") a failure" }
    return text
  }
}
