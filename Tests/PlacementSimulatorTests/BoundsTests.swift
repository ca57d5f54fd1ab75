import Placement
import PlacementSimulator
import Testing

@Suite("Bounds")
struct BoundsTests {
  @Test(
    "Martello and Toth's bound on hand-worked cases",
    arguments: [
      // Three of 6 in bins of 10: no two share.
      ([6, 6, 6], 10, 3),
      // L1 is 3; two of 7 leave 3 each, which hold no 4; the 4s need bins of their own.
      ([7, 7, 4, 4, 4], 10, 4),
      // Fits exactly.
      ([5, 5, 5, 5], 10, 2),
      ([9, 8, 2, 1], 10, 2),
      ([], 10, 0),
      ([0, 0], 10, 0),
      ([12, 1], 10, 2),
    ] as [([Int64], Int64, Int)])
  func handWorked(items: [Int64], capacity: Int64, bins: Int) {
    #expect(MartelloToth.bound(items, capacity: capacity) == bins)
  }

  @Test("the bound lies between the sum's and what an exact search needs", arguments: 1...60)
  func againstExactSearch(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let items = (0..<Int.random(in: 1...8, using: &random)).map { _ in Int64.random(in: 1...20, using: &random) }
    let bound = MartelloToth.bound(items, capacity: 20)
    let sum = items.reduce(0, +)
    #expect(bound >= Int((sum + 19) / 20))
    #expect(bound <= Self.exactBins(items.sorted(by: >), [], 20))
  }

  /// The fewest bins, by trying everything.
  private static func exactBins(_ items: [Int64], _ bins: [Int64], _ capacity: Int64) -> Int {
    guard let item = items.first else { return bins.count }
    let rest = Array(items.dropFirst())
    var best = exactBins(rest, bins + [item], capacity)
    for index in bins.indices where bins[index] + item <= capacity {
      var filled = bins
      filled[index] += item
      best = min(best, exactBins(rest, filled, capacity))
    }
    return best
  }

  @Test("a trace's bound follows what lives, growth included")
  func trace() throws {
    let events = [
      SimulationEvent(time: 0, id: 1, change: .arrive(PlacementDemand(bytes: 60))),
      SimulationEvent(time: 1, id: 2, change: .arrive(PlacementDemand(bytes: 60))),
      SimulationEvent(time: 2, id: 1, change: .delete),
      SimulationEvent(time: 3, id: 3, change: .arrive(PlacementDemand(bytes: 30))),
      SimulationEvent(time: 4, id: 3, change: .grow(volume: 0, toBytes: 70)),
    ]
    let bounds = try NodeBounds(RecordedWorkload(events), capacityBytes: 100, every: 1)
    #expect(bounds.l1 == 2)
    #expect(bounds.l2 == 2)
    let tight = try NodeBounds(RecordedWorkload(Array(events.prefix(2))), capacityBytes: 110, every: 1)
    #expect(tight.l1 == 2)
  }

  @Test("free moves place what fragments keep out, and nothing beyond the capacity")
  func repack() throws {
    var events = [50, 50, 50, 50].enumerated().map { id, bytes in
      SimulationEvent(time: Double(id), id: id, change: .arrive(PlacementDemand(bytes: Int64(bytes))))
    }
    events += [
      SimulationEvent(time: 5, id: 0, change: .delete), SimulationEvent(time: 6, id: 2, change: .delete),
      SimulationEvent(time: 7, id: 4, change: .arrive(PlacementDemand(bytes: 100))),
      SimulationEvent(time: 8, id: 5, change: .arrive(PlacementDemand(bytes: 10))),
      SimulationEvent(time: 9, id: 1, change: .grow(volume: 0, toBytes: 60)),
      SimulationEvent(time: 10, id: 4, change: .delete),
      SimulationEvent(time: 11, id: 1, change: .grow(volume: 0, toBytes: 60)),
    ]
    let cluster = SimulatedCluster(nodeCount: 2, poolBytes: 100)
    let free = try Simulator.run(
      policy: BestFitPolicy(), workload: RecordedWorkload(events), cluster: cluster,
      options: SimulationOptions(repair: .repack)
    ).counts
    #expect((free.requests, free.pending) == (6, 1))
    #expect((free.expansions, free.failedExpansions) == (2, 1))
    #expect((free.moves, free.movedBytes) == (0, 0))
    let run = try Simulator.run(policy: BestFitPolicy(), workload: RecordedWorkload(events), cluster: cluster)
    #expect(run.counts.pending == 1, "the 100 finds no hole, and the 10 then does")
  }
}
