import Placement
import Testing

@Suite("Best fit, headroom, gradients")
struct FitPoliciesTests {
  private let gib: Int64 = 1 << 30

  private func state(free: [Int64], capacity: Int64 = 100) -> PlacementState {
    var state = PlacementState(
      nodes: free.indices.map {
        NodeDescription(name: "node-\($0)", pools: [PoolDescription(capacityBytes: capacity * gib)])
      })
    for (node, free) in free.enumerated() {
      state.take(PlacementDemand(bytes: (capacity - free) * gib), on: node)
    }
    return state
  }

  @Test("most free takes the emptiest, best fit the fullest that fits")
  func extremes() {
    let state = state(free: [30, 70, 50, 5])
    var (most, best) = (MostFreePolicy(), BestFitPolicy())
    #expect(most.rank(.init(bytes: 10 * gib), in: state).map(\.node) == [1, 2, 0])
    #expect(best.rank(.init(bytes: 10 * gib), in: state).map(\.node) == [0, 2, 1])
    #expect(best.choose(.init(bytes: 80 * gib), in: state) == nil)
  }

  @Test("headroom: the fullest that keeps a fifth free; where none does, the emptiest")
  func headroom() {
    let state = state(free: [25, 70, 40, 5])
    var policy = BestFitHeadroomPolicy(headroom: 0.2)
    // 25 - 10 keeps 15 of 100: too little. 40 - 10 keeps 30.
    #expect(policy.rank(.init(bytes: 10 * gib), in: state).map(\.node) == [2, 1, 0])
    #expect(policy.choose(.init(bytes: 60 * gib), in: state) == 1)
    #expect(policy.choose(.init(bytes: 3 * gib), in: state) == 0)
  }

  @Test("fragmentation gradient: a small volume goes where a large one is impossible already")
  func gradient() {
    var policy = FragmentationGradientPolicy()
    for _ in 0..<90 { policy.learn(.requested(.init(bytes: 10 * gib))) }
    for _ in 0..<10 { policy.learn(.requested(.init(bytes: 60 * gib))) }
    // On node 1, 65 - 10 would lose its only slot of 60; on node 0 nothing is lost; node 2 keeps one.
    let state = state(free: [30, 65, 75])
    #expect(policy.rank(.init(bytes: 10 * gib), in: state).map(\.node).first == 0)
    #expect(policy.rank(.init(bytes: 10 * gib), in: state).map(\.node).last == 1)
  }

  @Test("random takes every fitting node, and repeats from its seed")
  func lots() {
    let state = state(free: [30, 70, 5])
    var (one, two) = (RandomPolicy(seed: 3), RandomPolicy(seed: 3))
    let demand = PlacementDemand(bytes: 10 * gib)
    let chosen = (0..<200).compactMap { _ in one.choose(demand, in: state) }
    #expect(Set(chosen) == [0, 1])
    #expect(chosen == (0..<200).compactMap { _ in two.choose(demand, in: state) })
    #expect(abs(chosen.filter { $0 == 0 }.count - 100) < 40)
  }
}
