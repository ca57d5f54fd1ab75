import Placement
import PlacementSimulator
import PlacementTraces

/// How many nodes each policy needs for a recorded history with Pending below 0.1 %.
struct TraceCase: Sendable {
  let options: BenchmarkOptions

  init(_ options: BenchmarkOptions) { self.options = options }

  func run() async throws -> [String] {
    guard let path = options.trace else {
      print("\nTrace: no file given (--trace FILE, or make bench-placement TRACE=FILE); this case is left out")
      return []
    }
    let workload = DiskOnly(try TraceFile.open([path]).workload)
    let bounds = try TraceBounds(workload, capacityBytes: options.nodeGiB << 30)
    print("\nTrace \(path): nodes of \(options.nodeGiB) GiB needed for Pending below 0.1 %, disk only")
    var rows = [["policy", "nodes", "above the bound %", "Pending % with one less"]]
    var figures: [String] = []
    var needed: [String: Int] = [:]
    for policy in options.policies {
      // Random placement and the policies that draw lots get the mean over the seeds.
      let seeds = ["random", "topolvm", "kep-4049"].contains(policy) ? min(3, options.seeds) : 1
      var nodes: [Double] = []
      var below = 0.0
      for seed in 1...UInt64(seeds) {
        let answer = try least(policy, seed, workload, from: bounds.l2)
        nodes.append(Double(answer.nodes))
        below = answer.pendingBelow
      }
      let mean = Interval(nodes).mean
      needed[policy] = Int(mean.rounded())
      rows.append([
        policy, fixed(mean, seeds > 1 ? 1 : 0), fixed(100 * (mean / Double(bounds.l2) - 1)), fixed(100 * below, 3),
      ])
      figures.append("trace.nodes.\(policy) \(fixed(mean, seeds > 1 ? 1 : 0)) count")
    }
    printTable(rows)
    print("bound: L1 \(bounds.l1), Martello-Toth L2 \(bounds.l2) nodes")
    if let own = needed["default"] {
      for (policy, nodes) in needed.sorted(by: { $0.key < $1.key }) where nodes < own {
        print("NOTE: \(policy) needs \(own - nodes) nodes less than the default")
      }
    }
    return figures + ["trace.nodes.bound \(bounds.l2) count"]
  }

  /// The least number of nodes, by bisection between the bound and twice the bound.
  private func least(_ policy: String, _ seed: UInt64, _ workload: DiskOnly, from bound: Int) throws -> (
    nodes: Int, pendingBelow: Double
  ) {
    var (bad, good) = (bound * 9 / 10, bound * 2)
    var pendingBelow = 1.0
    while good - bad > 1 {
      let nodes = (good + bad) / 2
      let result = try Simulator.run(
        policy: options.policy(policy, seed: seed), workload: workload,
        cluster: SimulatedCluster(nodeCount: nodes, poolBytes: options.nodeGiB << 30),
        options: SimulationOptions(seed: seed, largeBytes: 1 << 40, samples: 1))
      if result.counts.pendingRate < 0.001 {
        good = nodes
      } else {
        (bad, pendingBelow) = (nodes, result.counts.pendingRate)
      }
    }
    return (good, pendingBelow)
  }
}

/// A workload with everything but its volumes left out.
struct DiskOnly: Workload {
  let whole: any Workload

  init(_ whole: any Workload) { self.whole = whole }

  func events(seed: UInt64) throws -> any SimulationEventStream { Stream(whole: try whole.events(seed: seed)) }

  private struct Stream: SimulationEventStream {
    var whole: any SimulationEventStream

    mutating func next() throws -> SimulationEvent? {
      guard var event = try whole.next() else { return nil }
      if case .arrive(let demand) = event.change { event.change = .arrive(PlacementDemand(volumes: demand.volumes)) }
      return event
    }
  }
}
