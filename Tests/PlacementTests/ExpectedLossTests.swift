import Placement
import Testing

@Suite("Expected-loss placement")
struct ExpectedLossTests {
  private let gib: Int64 = 1 << 30

  private func learned(large: Int64, growing: Bool = false) -> ExpectedLossPolicy {
    var policy = ExpectedLossPolicy()
    for index in 0..<2000 {
      policy.learn(.requested(PlacementDemand(bytes: (index % 20 == 0 ? large : 10) * gib)))
      if growing && index % 2 == 0 {
        policy.learn(.grew(deviceClass: 0, fromBytes: 10 * gib, toBytes: 20 * gib, times: 0))
      } else {
        policy.learn(.ended(deviceClass: 0, bytes: 10 * gib, times: growing ? 1 : 0))
      }
    }
    return policy
  }

  private func state(used: [[Int64]], capacity: Int64 = 1000) -> PlacementState {
    var state = PlacementState(
      nodes: used.indices.map {
        NodeDescription(name: "node-\($0)", pools: [PoolDescription(capacityBytes: capacity * gib)])
      })
    for (node, sizes) in used.enumerated() {
      for size in sizes { state.take(PlacementDemand(bytes: size * gib), on: node) }
    }
    return state
  }

  @Test("a small volume goes where the large slot is lost already")
  func keepsSlots() {
    var policy = learned(large: 500)
    // 0: one slot of 500 and no more; 1: 450 free, no slot; 2: two slots.
    let state = state(used: [[500], [550], []])
    policy.rebuild(from: state)
    #expect(policy.rank(PlacementDemand(bytes: 10 * gib), in: state).map(\.node).first == 1)
    // Best fit agrees here; it does not where the broken node is the emptier one.
    let other = self.state(used: [[500], [], [10]])
    policy.rebuild(from: other)
    var bestFit = BestFitPolicy()
    #expect(bestFit.choose(PlacementDemand(bytes: 10 * gib), in: other) == 0)
    #expect(policy.choose(PlacementDemand(bytes: 10 * gib), in: other) == 2)
  }

  @Test("a slot that is nearly whole again is spared, one that is far from it is used")
  func sparesUnfinishedSlots() {
    var policy = learned(large: 500)
    // Each has one slot less than it could: 0 lacks 20 GiB for its second slot, 1 lacks 300.
    let state = state(used: [[20], [300]])
    policy.rebuild(from: state)
    #expect(policy.choose(PlacementDemand(bytes: 10 * gib), in: state) == 1)
  }

  @Test("where volumes grow, room is kept beside the one that has yet to grow")
  func keepsRoomToGrow() {
    // 0 is fuller and holds a large volume; 1 holds as much in small ones.
    let used: [[Int64]] = [[400, 200], Array(repeating: 10, count: 55)]
    let state = state(used: used)
    // All requests are small, so that no large slot has a say.
    var growing = learned(large: 10, growing: true)
    growing.rebuild(from: state)
    #expect(growing.choose(PlacementDemand(bytes: 100 * gib), in: state) == 1)
    var still = learned(large: 10)
    still.rebuild(from: state)
    #expect(still.choose(PlacementDemand(bytes: 100 * gib), in: state) == 0)
  }

  @Test("what was cached change by change decides as what is built anew", arguments: 1...6)
  func incremental(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let nodes = World.nodes(&random)
    var engine = PlacementEngine(
      nodes: nodes, classCount: 3, policy: ExpectedLossPolicy(classCount: 3))
    for _ in 0..<300 { engine.learn(.requested(World.demand(&random))) }
    _ = engine.decide(PlacementDemand(volumes: []))
    for id in 0..<400 {
      let demand = World.demand(&random)
      if let node = engine.choose(demand) { try engine.place(demand, id: id, on: node) }
      if Bool.random(using: &random) { _ = try? engine.release(Int.random(in: 0...id, using: &random)) }
      guard id % 20 == 0, let cached = engine.policy as? ExpectedLossPolicy else { continue }
      var (one, two) = (cached, cached)
      // Counting every node anew must change nothing: no change of a node was missed.
      for node in nodes.indices { two.update(node: node, in: engine.state) }
      let question = World.demand(&random)
      #expect(one.rank(question, in: engine.state) == two.rank(question, in: engine.state))
    }
  }

  @Test("sizes keep exact values, fade, and join where there are too many")
  func histogram() throws {
    var histogram = SizeHistogram(memory: 100)
    for _ in 0..<300 { histogram.add(1000 * gib) }
    for _ in 0..<300 { histogram.add(7 * gib, milliCPU: 500) }
    var sizes = histogram.sizes()
    #expect(sizes.map(\.bytes) == [7 * gib, 1000 * gib])
    #expect(abs((sizes.first?.share ?? 0) - 0.95) < 0.01, "after 3 memories, e^-3 is left of the old")
    #expect(sizes.first?.milliCPU == 500)
    for index in 1...400 { histogram.add(Int64(index) * gib) }
    sizes = histogram.sizes(limit: 8)
    #expect(sizes.count == 8)
    #expect(abs(sizes.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    for _ in 0..<100_000 { histogram.add(3 * gib) }
    #expect(abs(histogram.observations - 101) < 1, "the weights are rescaled and stay finite")
  }

  @Test("growth: the share that grows, and how far, by how often")
  func growth() {
    var growth = GrowthStatistics(memory: 1000)
    for index in 0..<20_000 {
      if index % 10 < 3 {
        growth.grew(from: 10, to: 20, times: 0)
        growth.ended(times: 1)
      } else {
        growth.ended(times: 0)
      }
    }
    #expect(abs(growth.probability(0) - 0.3) < 0.01)
    #expect(growth.probability(1) < 0.01)
    #expect(abs(growth.mean(0) - 0.3) < 0.01)
    #expect(abs(growth.variance(0) - 0.21) < 0.01)
  }
}
