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
}
