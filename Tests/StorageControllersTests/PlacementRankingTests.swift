import KubernetesAPI
import Placement
import PodScheduler
import StorageControllers
import Testing

@Suite("What the scheduler asks of room Placement")
struct PlacementRankingTests {
  private static func node(_ name: String, _ pools: [String: Int64], isCandidate: Bool = true) -> NodeStorage {
    NodeStorage(
      node: name, pools: pools.mapValues { .init(publishedFreeBytes: $0 << 30) }, isCandidate: isCandidate)
  }

  private static func demand(_ claims: [(String, Int64)]) -> VolumeDemand {
    VolumeDemand(
      pod: ObjectKey(namespace: "n", name: "p"),
      claims: claims.enumerated().map { index, claim in
        .init(key: ObjectKey(namespace: "n", name: "c\(index)"), pool: claim.0, bytes: claim.1 << 30)
      })
  }

  @Test("classes of one pool are summed up; each pool counts", arguments: SnapshotPolicy.allCases)
  func joint(policy: SnapshotPolicy) {
    let nodes = [
      Self.node("a", ["fast": 100, "slow": 5]), Self.node("b", ["fast": 50, "slow": 100]),
      Self.node("c", ["fast": 100, "slow": 100]), Self.node("d", ["fast": 900, "slow": 900], isCandidate: false),
    ]
    let ranking = PlacementRanking(policy)
    #expect(ranking.rank(Self.demand([("fast", 30), ("slow", 10), ("fast", 30)]), among: nodes).map(\.node) == ["c"])
    #expect(ranking.rank(Self.demand([("fast", 30), ("fast", 80)]), among: nodes).isEmpty)
  }

  @Test("pools without figures have no part in the order", arguments: SnapshotPolicy.allCases)
  func unknownPools(policy: SnapshotPolicy) {
    let nodes = [Self.node("a", ["fast": 100]), Self.node("b", ["fast": 20])]
    let ranking = PlacementRanking(policy)
    #expect(ranking.rank(Self.demand([("fast", 30), ("remote", 500)]), among: nodes).map(\.node) == ["a"])
    #expect(ranking.rank(Self.demand([("remote", 500)]), among: nodes).isEmpty)
  }

  @Test("what is promised is not there")
  func promised() {
    var node = Self.node("a", ["fast": 100])
    node.pools["fast"]?.reservedBytes = 80 << 30
    #expect(PlacementRanking().rank(Self.demand([("fast", 30)]), among: [node]).isEmpty)
    #expect(PlacementRanking().rank(Self.demand([("fast", 20)]), among: [node]).map(\.reason) == ["keeps 0 B free"])
  }

  @Test("requests, growth and ends are learned")
  func learns() {
    let ranking = PlacementRanking()
    for index in 0..<200 {
      ranking.learn(.requested(pool: "fast", bytes: (index % 100 == 0 ? 250 : 100) << 30))
      ranking.learn(.grew(pool: "fast", from: 100 << 30, to: 200 << 30, times: 0))
      ranking.learn(.ended(pool: "fast", bytes: 200 << 30, times: 1))
    }
    let nodes = [Self.node("full", ["fast": 110]), Self.node("wide", ["fast": 300])]
    #expect(ranking.rank(Self.demand([("fast", 100)]), among: nodes).first?.node == "wide")
    #expect(PlacementRanking().rank(Self.demand([("fast", 100)]), among: nodes).first?.node == "full")
  }
}
