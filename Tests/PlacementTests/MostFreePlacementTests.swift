import Placement
import Testing

@Suite("Placement by the most free space")
struct MostFreePlacementTests {
  private let gib: Int64 = 1 << 30

  private func node(_ name: String, free: Int64, largest: Int64? = nil) -> NodePools {
    NodePools(node: name, pools: ["local": .init(freeBytes: free * gib, largestVolumeBytes: (largest ?? free) * gib)])
  }

  @Test("the node that keeps most comes first, ties go by name")
  func order() {
    let nodes = [node("a", free: 100), node("b", free: 200), node("c", free: 50), node("d", free: 100)]
    let ranking = MostFreePlacement().rank(["local": [10 * gib]], among: nodes)
    #expect(ranking.map(\.node) == ["b", "a", "d", "c"])
    #expect(ranking[0].reason == "keeps 190 GiB free")
  }

  @Test("a demand must fit jointly, and each volume below the largest")
  func joint() {
    let nodes = [node("a", free: 100), node("b", free: 170), node("c", free: 500, largest: 50)]
    // KEP-4049's own filter takes each claim alone and would let two 80 GiB volumes pass on 100 GiB.
    #expect(MostFreePlacement().rank(["local": [80 * gib, 80 * gib]], among: nodes).map(\.node) == ["b"])
    #expect(MostFreePlacement().rank(["local": [600 * gib]], among: nodes).isEmpty)
  }

  @Test("a class that a node does not have fits only an empty demand")
  func missingClass() {
    let nodes = [node("a", free: 100)]
    #expect(MostFreePlacement().rank(["other": [gib]], among: nodes).isEmpty)
    #expect(MostFreePlacement().rank([:], among: nodes).map(\.node) == ["a"])
  }

  @Test("never a node that does not fit, in random worlds")
  func property() {
    var random = SeededRandom(seed: 42)
    for _ in 0..<2000 {
      let nodes = (0..<Int.random(in: 1...8, using: &random)).map { index in
        node("n\(index)", free: .random(in: 0...100, using: &random), largest: .random(in: 0...100, using: &random))
      }
      let sizes = (0..<Int.random(in: 1...4, using: &random)).map { _ in Int64.random(in: 1...60, using: &random) * gib
      }
      let ranking = MostFreePlacement().rank(["local": sizes], among: nodes)
      let fitting = nodes.filter { node in
        guard let pool = node.pools["local"] else { return false }
        return sizes.reduce(0, +) <= pool.freeBytes && sizes.allSatisfy { $0 <= pool.largestVolumeBytes }
      }
      #expect(Set(ranking.map(\.node)) == Set(fitting.map(\.node)))
    }
  }
}
