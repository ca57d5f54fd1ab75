import Placement
import Testing

@Suite("Ranking a snapshot by expected loss")
struct ExpectedLossRankingTests {
  private let gib: Int64 = 1 << 30

  /// Ten nodes of 1,100 GiB take volumes one after the other, as a scheduler's questions come.
  private func place(_ sizes: [Int64], by ranking: any SnapshotRanking) -> (placed: Int, last: PlacementChoice?) {
    var nodes = (0..<10).map {
      NodePools(node: "node-\($0)", pools: ["local": .init(freeBytes: 1100 * gib, largestVolumeBytes: .max)])
    }
    var placed = 0
    var last: PlacementChoice?
    for size in sizes {
      (ranking as? ExpectedLossRanking)?.learn(["local": [size * gib]])
      last = ranking.rank(["local": [size * gib]], among: nodes).first
      guard let choice = last, let index = nodes.firstIndex(where: { $0.node == choice.node }) else { continue }
      nodes[index].pools["local"]?.freeBytes -= size * gib
      placed += 1
    }
    return (placed, last)
  }

  @Test("forty small volumes leave eight large holes whole; most free breaks all ten")
  func kubeCon() {
    let small = Array(repeating: Int64(30), count: 40)
    let large = Array(repeating: Int64(1000), count: 8)
    #expect(place(small + large, by: ExpectedLossRanking()).placed == 48)
    #expect(place(small + large, by: MostFreePlacement()).placed == 40)
  }

  @Test("the reason counts the slots that stay, and names who would lose the last")
  func reasons() {
    let ranking = ExpectedLossRanking()
    for index in 0..<100 { ranking.learn(["local": [(index % 10 == 0 ? 1024 : 10) * gib]]) }
    let nodes = [("node-1", 1030), ("node-2", 100)].map { name, free in
      NodePools(node: name, pools: ["local": .init(freeBytes: Int64(free) * gib, largestVolumeBytes: .max)])
    }
    let choices = ranking.rank(["local": [10 * gib]], among: nodes)
    #expect(choices.map(\.node) == ["node-2", "node-1"])
    #expect(choices.first?.reason == "keeps 1 slot of 1 TiB; node-1 would lose the last")
    #expect(choices.last?.reason == "keeps 0 slots of 1 TiB")
    #expect(ranking.rank(["local": [1024 * gib]], among: nodes).map(\.reason) == ["keeps 6 GiB free"])
    #expect(ranking.rank(["other": [gib]], among: nodes).isEmpty)
  }

  @Test("a node that is no candidate counts for the slots, but is neither returned nor named")
  func candidates() {
    let ranking = ExpectedLossRanking()
    for index in 0..<100 { ranking.learn(["local": [(index % 10 == 0 ? 1024 : 10) * gib]]) }
    let nodes = [("node-1", 1030, false), ("node-2", 1030, true), ("node-3", 100, true)].map {
      name, free, isCandidate in
      NodePools(
        node: name, pools: ["local": .init(freeBytes: Int64(free) * gib, largestVolumeBytes: .max)],
        isCandidate: isCandidate)
    }
    let choices = ranking.rank(["local": [10 * gib]], among: nodes)
    #expect(choices.map(\.node) == ["node-3", "node-2"])
    #expect(choices.first?.reason == "keeps 2 slots of 1 TiB; node-2 would lose 1")
    for policy in SnapshotPolicy.allCases {
      #expect(Set(policy.ranking().rank(["local": [10 * gib]], among: nodes).map(\.node)) == ["node-2", "node-3"])
    }
  }

  @Test("a cold start keeps whole nodes for what was never asked for, and says so where there is a choice")
  func coldStart() {
    let ranking = ExpectedLossRanking()
    var random = SeededRandom(seed: 7)
    for _ in 0..<20 { ranking.learn(["local": [.random(in: 100...300, using: &random) * gib]]) }
    func choices(_ free: [Int64]) -> [PlacementChoice] {
      let nodes = free.enumerated().map { index, free in
        NodePools(node: "node-\(index)", pools: ["local": .init(freeBytes: free * gib, largestVolumeBytes: .max)])
      }
      return ranking.rank(["local": [300 * gib]], among: nodes)
    }
    let several = choices([2000, 2000, 1100, 2000])
    #expect(several.first == PlacementChoice(node: "node-2", reason: "keeps 3 slots of 1.9 TiB; node-0 would lose 1"))
    // Alone, there is nothing to weigh.
    #expect(choices([2000]).map(\.reason) == ["keeps 1.6 TiB free"])
  }

  @Test("volumes of several classes fit jointly, each pool by its sum", arguments: SnapshotPolicy.allCases)
  func joint(policy: SnapshotPolicy) {
    let nodes = [("a", 100, 5), ("b", 50, 100), ("c", 100, 100)].map { name, fast, slow in
      NodePools(
        node: name,
        pools: [
          "fast": .init(freeBytes: Int64(fast) * gib, largestVolumeBytes: .max),
          "slow": .init(freeBytes: Int64(slow) * gib, largestVolumeBytes: .max),
        ])
    }
    let ranking = policy.ranking()
    #expect(ranking.rank(["fast": [30 * gib, 30 * gib], "slow": [10 * gib]], among: nodes).map(\.node) == ["c"])
    #expect(ranking.rank(["fast": [30 * gib, 80 * gib]], among: nodes).isEmpty)
  }

  @Test("growth that was seen keeps room beside new volumes")
  func growth() {
    let nodes = [("full", 110), ("wide", 300)].map { name, free in
      NodePools(node: name, pools: ["local": .init(freeBytes: Int64(free) * gib, largestVolumeBytes: .max)])
    }
    func first(growing: Bool) -> String? {
      let ranking = ExpectedLossRanking()
      for index in 0..<200 {
        ranking.learn(["local": [(index % 100 == 0 ? 250 : 100) * gib]])
        if growing { ranking.learnGrowth(of: "local", from: 100 * gib, to: 200 * gib, times: 0) }
        ranking.learnEnd(of: "local", bytes: 100 * gib, times: growing ? 1 : 0)
      }
      return ranking.rank(["local": [100 * gib]], among: nodes).first?.node
    }
    #expect(first(growing: false) == "full")
    #expect(first(growing: true) == "wide")
  }

  @Test("the policies of the command line keep their own order")
  func order() {
    let nodes = [("a", 400), ("b", 150), ("c", 1000)].map { name, free in
      NodePools(node: name, pools: ["local": .init(freeBytes: Int64(free) * gib, largestVolumeBytes: .max)])
    }
    func order(_ policy: SnapshotPolicy) -> [String] {
      policy.ranking().rank(["local": [100 * gib]], among: nodes).map(\.node)
    }
    #expect(order(.bestFit) == ["b", "a", "c"])
    #expect(order(.mostFree) == ["c", "a", "b"])
    #expect(order(.kep4049) == ["c", "a", "b"])
    #expect(order(.topoLVM) == ["c", "a", "b"])
    #expect(Set(order(.random)) == ["a", "b", "c"])
  }
}
