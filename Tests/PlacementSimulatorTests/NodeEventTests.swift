import Placement
import PlacementSimulator
import Testing

@Suite("Nodes that are drained or lost")
struct NodeEventTests {
  private let gib: Int64 = 1 << 30

  private func run(_ change: SimulationEvent.Change, moves: Int) throws -> SimulationResult.Counts {
    // Best fit puts 50 and 30 onto node 1, then 60 onto node 2, and 15 beside the first two.
    var events = [50, 30, 60, 15].enumerated().map { id, size in
      SimulationEvent(time: Double(id), id: id, change: .arrive(PlacementDemand(bytes: Int64(size) * gib)))
    }
    events.append(SimulationEvent(time: 10, change: change))
    return try Simulator.run(
      policy: BestFitPolicy(), workload: RecordedWorkload(events),
      cluster: SimulatedCluster(nodeCount: 2, poolBytes: 100 * gib),
      options: SimulationOptions(repair: moves > 0 ? .moves(atMost: moves) : .none)
    ).counts
  }

  @Test("a drain goes by the repair planner: what it moves, what that costs, and what is stuck")
  func drain() throws {
    let counts = try run(.drain(0), moves: 0)
    // 50 does not fit beside 60; 30 does, and then 15 does not.
    #expect((counts.drained, counts.drainedBytes, counts.undrained) == (1, 30 * gib, 2))
    #expect((counts.moves, counts.movedBytes) == (1, 30 * gib))
    #expect(abs(counts.downtimeSeconds - RepairCost().downtimeSeconds(30 * gib)) < 1e-9)
    #expect(counts.lostRequests == 0)
  }

  @Test("the volumes of a lost node are restored where there is room, and the rest is counted")
  func loss() throws {
    let counts = try run(.nodeLost(0), moves: 0)
    #expect((counts.lostRequests, counts.unrestored, counts.restoredBytes) == (3, 2, 30 * gib))
    // Nothing is copied from a node that is gone.
    #expect((counts.moves, counts.movedBytes, counts.drained) == (0, 0, 0))
    #expect(counts.downtimeSeconds > 0)
  }

  @Test("a node that comes back after a loss is empty")
  func returned() throws {
    let events = [
      SimulationEvent(time: 0, id: 1, change: .arrive(PlacementDemand(bytes: 80 * gib))),
      SimulationEvent(time: 1, change: .nodeLost(0)), SimulationEvent(time: 2, change: .nodeReturned(0)),
      SimulationEvent(time: 3, id: 2, change: .arrive(PlacementDemand(bytes: 100 * gib))),
    ]
    let result = try Simulator.run(
      policy: MostFreePolicy(), workload: RecordedWorkload(events),
      cluster: SimulatedCluster(nodeCount: 1, poolBytes: 100 * gib))
    #expect(result.counts.pending == 0)
    #expect(result.nodesAtEnd.map(\.freeBytes) == [0])
  }
}
