import Placement
import PlacementSimulator
import Testing

@Suite("The simulator")
struct SimulatorTests {
  private let gib: Int64 = 1 << 30

  @Test("a request that fits nowhere is Pending, and its later events are skipped")
  func pending() throws {
    let events = [
      SimulationEvent(time: 0, id: 1, change: .arrive(PlacementDemand(bytes: 60 * gib))),
      SimulationEvent(time: 1, id: 2, change: .arrive(PlacementDemand(bytes: 60 * gib))),
      SimulationEvent(time: 2, id: 2, change: .grow(volume: 0, toBytes: 80 * gib)),
      SimulationEvent(time: 3, id: 1, change: .grow(volume: 0, toBytes: 90 * gib)),
      SimulationEvent(time: 4, id: 1, change: .grow(volume: 0, toBytes: 120 * gib)),
      SimulationEvent(time: 5, id: 2, change: .delete),
      SimulationEvent(time: 6, id: 1, change: .delete),
    ]
    let result = try Simulator.run(
      policy: MostFreePolicy(), workload: RecordedWorkload(events),
      cluster: SimulatedCluster(nodeCount: 1, poolBytes: 100 * gib))
    #expect(result.counts.requests == 2)
    #expect(result.counts.pending == 1)
    #expect(result.counts.expansions == 2)
    #expect(result.counts.failedExpansions == 1)
    #expect(result.counts.admittedBytes == 90 * gib)
    #expect(result.nodesAtEnd.map(\.freeBytes) == [100 * gib])
  }

  @Test("the same seed gives the same result, another seed another")
  func seeds() throws {
    var workload = WorkloadDescription(
      kinds: [.init(weight: 1, demand: .init(bytes: 10 * gib)), .init(weight: 1, demand: .init(bytes: 50 * gib))],
      lifetimes: [.init(weight: 1, meanSeconds: 100)], growth: .init(probability: 0.3), arrivalRate: 1, requests: 2000)
    let cluster = SimulatedCluster(nodeCount: 5, poolBytes: 200 * gib)
    workload.setLoad(0.95, capacityBytes: cluster.capacityBytes)
    func run(_ seed: UInt64) throws -> SimulationResult {
      try Simulator.run(
        policy: MostFreePolicy(), workload: workload, cluster: cluster, options: SimulationOptions(seed: seed))
    }
    let first = try run(1)
    #expect(try run(1) == first)
    #expect(try run(2).counts != first.counts)
    #expect(first.counts.pending > 0)
  }
}
