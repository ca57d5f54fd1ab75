import Placement
import PlacementSimulator

/// How long one decision takes over 10,000 nodes and 24 sizes, and how many events a core simulates.
struct SpeedCase: Sendable {
  let options: BenchmarkOptions

  init(_ options: BenchmarkOptions) { self.options = options }

  func run() throws -> [String] {
    let decisions = try decisionTimes()
    let p99 = decisions[decisions.count * 99 / 100] * 1000
    let median = decisions[decisions.count / 2] * 1000
    print("\nOne decision over 10,000 nodes × 24 sizes: median \(fixed(median, 3)) ms, p99 \(fixed(p99, 3)) ms")
    var figures = ["decision.p99 \(fixed(p99, 3)) ms"]
    var rows = [["nodes", "events", "events per minute and core"]]
    for nodes in [20, 100, 1000] {
      let cluster = SimulatedCluster(nodeCount: nodes, poolBytes: 4000 << 30)
      let workload = StandardCases.mixed(load: 0.9, cluster: cluster, requests: 100_000)
      let start = threadSeconds()
      let result = try Simulator.run(
        policy: StandardPolicy.standard.make(), workload: workload, cluster: cluster,
        options: SimulationOptions(largeBytes: 1000 << 30))
      let rate = Double(result.counts.events) / (threadSeconds() - start) * 60
      rows.append(["\(nodes)", "\(result.counts.events)", fixed(rate, 0)])
      if nodes == 100 { figures.append("simulator.events_per_minute \(fixed(rate, 0)) 1/min") }
      if nodes == 1000 { figures.append("simulator.events_per_minute_1000_nodes \(fixed(rate, 0)) 1/min") }
    }
    printTable(rows)
    return figures
  }

  /// Processor seconds of each decision with the placement that follows, ascending; the first is left out.
  private func decisionTimes() throws -> [Double] {
    var random = SeededRandom(seed: 1)
    let sizes = StandardSizes.all
    var engine = PlacementEngine(
      nodes: (0..<10_000).map {
        NodeDescription(name: "node-\($0)", pools: [PoolDescription(capacityBytes: 8000 << 30)])
      }, policy: StandardPolicy.standard.make())
    // Warm: nodes filled unevenly, every size seen.
    for id in 0..<200_000 {
      let demand = PlacementDemand(bytes: sizes[min(23, Int(random.unit() * random.unit() * 24))])
      engine.learn(.requested(demand))
      let node = Int(random.next() % 10_000)
      if engine.state.fits(demand, on: node) { try engine.place(demand, id: id, on: node) }
    }
    _ = engine.decide(PlacementDemand(bytes: sizes[3]))
    var times: [Double] = []
    for id in 1_000_000..<1_003_000 {
      let demand = PlacementDemand(bytes: sizes[min(23, Int(random.unit() * random.unit() * 24))])
      let start = threadSeconds()
      if let node = engine.decide(demand) { try engine.place(demand, id: id, on: node) }
      times.append(threadSeconds() - start)
    }
    return times.sorted()
  }
}
