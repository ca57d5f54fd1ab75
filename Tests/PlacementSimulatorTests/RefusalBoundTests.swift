import Placement
import Testing

@testable import PlacementSimulator

@Suite("What no policy can beat")
struct RefusalBoundTests {
  private func arrive(_ time: Double, _ id: Int, _ bytes: Int64) -> SimulationEvent {
    SimulationEvent(time: time, id: id, change: .arrive(PlacementDemand(bytes: bytes)))
  }

  private func refusals(_ events: [SimulationEvent], nodes: Int, of bytes: Int64, warmup: Int = 0) throws
    -> RefusalBound.Refusals
  {
    try #require(try RefusalBound(RecordedWorkload(events), warmupRequests: warmup)).refusals(
      on: SimulatedCluster(nodeCount: nodes, poolBytes: bytes))
  }

  @Test("hand-worked: the excess of each crowd, and what does not pack")
  func handWorked() throws {
    // Two crowds of 150 on 100: of the first the 100 must go, of the second two of 50 need not: one is enough.
    var events = [arrive(0, 1, 100), arrive(1, 2, 50)]
    events += [1, 2].map { SimulationEvent(time: 2, id: $0, change: .delete) }
    events += [arrive(100, 3, 50), arrive(101, 4, 50), arrive(102, 5, 50)]
    events += [3, 4, 5].map { SimulationEvent(time: 103, id: $0, change: .delete) }
    #expect(try refusals(events, nodes: 1, of: 100) == .init(l1: 2, l2: 2))
    #expect(try refusals(events, nodes: 2, of: 100) == .init(l1: 0, l2: 0))
    // By bytes three of 60 fit into two nodes of 100; two of them do not share one.
    let large = [arrive(0, 1, 60), arrive(1, 2, 60), arrive(2, 3, 60)]
    #expect(try refusals(large, nodes: 2, of: 100) == .init(l1: 0, l2: 1))
    // What is refused in the warm-up is not counted.
    #expect(try refusals(large, nodes: 2, of: 100, warmup: 1) == .init(l1: 0, l2: 0))
  }

  @Test("a failed expansion counts as one refusal, however much it asked for")
  func growth() throws {
    let events = [
      arrive(0, 1, 40), arrive(1, 2, 40), SimulationEvent(time: 2, id: 1, change: .grow(volume: 0, toBytes: 100)),
      SimulationEvent(time: 3, id: 2, change: .grow(volume: 0, toBytes: 50)),
    ]
    #expect(try refusals(events, nodes: 1, of: 100) == .init(l1: 1, l2: 1))
    let bound = try #require(try RefusalBound(RecordedWorkload(events)))
    #expect((bound.requests, bound.expansions) == (2, 2))
    let cluster = SimulatedCluster(nodeCount: 1, poolBytes: 100)
    #expect(bound.allows(pendingLimit: 0, failedExpansionLimit: 0.5, on: cluster))
    #expect(!bound.allows(pendingLimit: 0, failedExpansionLimit: 0.01, on: cluster))
  }

  @Test("who goes down with a lost node is not counted on")
  func lostNode() throws {
    let events = [
      arrive(0, 1, 80), SimulationEvent(time: 1, change: .nodeLost(0)),
      SimulationEvent(time: 2, change: .nodeReturned(0)),
      arrive(3, 2, 80),
    ]
    #expect(try refusals(events, nodes: 1, of: 100) == .init(l1: 0, l2: 0))
  }

  /// Up to seven requests on two nodes of 20, with deletions and growth.
  private func world(_ seed: UInt64) -> [SimulationEvent] {
    var random = SeededRandom(seed: seed)
    var events: [SimulationEvent] = []
    for id in 0..<Int.random(in: 3...7, using: &random) {
      let (arrival, life) = (random.unit() * 6, random.unit() * 5)
      let bytes = Int64.random(in: 2...14, using: &random)
      events.append(arrive(arrival, id, bytes))
      if random.unit() < 0.4, bytes < 14 {
        events.append(
          SimulationEvent(
            time: arrival + life / 2, id: id,
            change: .grow(volume: 0, toBytes: Int64.random(in: (bytes + 1)...15, using: &random))))
      }
      if random.unit() < 0.7 { events.append(SimulationEvent(time: arrival + life, id: id, change: .delete)) }
    }
    return events.sorted { $0.time < $1.time }
  }

  private let small = SimulatedCluster(nodeCount: 2, poolBytes: 20)

  @Test("in small worlds it never exceeds what exact search over all refusals and all moves finds", arguments: 1...120)
  func againstExactSearch(seed: UInt64) throws {
    let events = world(seed)
    let least = exactRefusals(events)
    let bound = try refusals(events, nodes: 2, of: 20)
    #expect(bound.l1 <= bound.l2)
    #expect(bound.l2 <= least)
    // Free moves are reachable: no better than the best.
    let free = try Simulator.run(
      policy: BestFitPolicy(), workload: RecordedWorkload(events), cluster: small,
      options: SimulationOptions(repair: .repack)
    ).counts
    #expect(free.pending + free.failedExpansions >= least)
  }

  @Test("the bound is not idle: it is often exact")
  func oftenExact() throws {
    let worlds = (1...120 as ClosedRange<UInt64>).map(world)
    let crowded = worlds.filter { exactRefusals($0) > 0 }
    let exact = try crowded.filter { try refusals($0, nodes: 2, of: 20).l2 == exactRefusals($0) }
    #expect(crowded.count > 30)
    #expect(exact.count * 2 > crowded.count, "\(exact.count) of \(crowded.count)")
  }

  @Test("no policy beats it, with moves or without", arguments: StandardPolicy.allCases, [0, 2])
  func policies(policy: StandardPolicy, moves: Int) throws {
    for seed in 1...3 as ClosedRange<UInt64> {
      var workload = WorkloadDescription(
        kinds: [
          .init(weight: 8, demand: .init(bytes: 10)), .init(weight: 3, demand: .init(bytes: 55)),
          .init(weight: 1, demand: .init(bytes: 95)),
        ],
        lifetimes: [.init(weight: 1, meanSeconds: 10), .init(weight: 1, meanSeconds: 100)],
        growth: .init(probability: 0.3, factor: 1.5), arrivalRate: 1, requests: 600)
      let cluster = SimulatedCluster(nodeCount: 4, poolBytes: 200)
      workload.setLoad(1.2, capacityBytes: cluster.capacityBytes)
      let bound = try #require(try RefusalBound(workload, seed: seed, warmupRequests: 100)).refusals(on: cluster)
      let counts = try Simulator.run(
        policy: policy.make(seed: seed), workload: workload, cluster: cluster,
        options: SimulationOptions(
          seed: seed, warmupRequests: 100, repair: moves > 0 ? .moves(atMost: moves) : .none, largeBytes: 95)
      ).counts
      #expect(bound.l2 > 0)
      #expect(counts.pending + counts.failedExpansions >= bound.l2)
    }
  }

  /// The fewest requests and expansions to refuse so that at every moment the rest packs into the nodes: all choices tried.
  private func exactRefusals(_ events: [SimulationEvent]) -> Int {
    let ids = Set(events.map(\.id)).sorted()
    let growing = Set(
      events.compactMap { event -> Int? in
        if case .grow = event.change { event.id } else { nil }
      })
    var best = Int.max
    func choose(_ index: Int, _ refused: Set<Int>, _ kept: Set<Int>) {
      guard refused.count + kept.count < best else { return }
      guard index < ids.count else {
        if works(events, refused, kept) { best = refused.count + kept.count }
        return
      }
      choose(index + 1, refused, kept)
      choose(index + 1, refused.union([ids[index]]), kept)
      if growing.contains(ids[index]) { choose(index + 1, refused, kept.union([ids[index]])) }
    }
    choose(0, [], [])
    return best
  }

  private func works(_ events: [SimulationEvent], _ refused: Set<Int>, _ kept: Set<Int>) -> Bool {
    var living: [Int: Int64] = [:]
    for event in events where !refused.contains(event.id) {
      switch event.change {
      case .arrive(let demand): living[event.id] = demand.totalBytes
      case .grow(_, let bytes): if living[event.id] != nil, !kept.contains(event.id) { living[event.id] = bytes }
      case .delete: living[event.id] = nil
      default: continue
      }
      if !packs(living.values.sorted(by: >)[...], [20, 20]) { return false }
    }
    return true
  }

  private func packs(_ items: ArraySlice<Int64>, _ room: [Int64]) -> Bool {
    guard let item = items.first else { return true }
    return room.indices.contains { index in
      guard room[index] >= item else { return false }
      var rest = room
      rest[index] -= item
      return packs(items.dropFirst(), rest)
    }
  }
}
