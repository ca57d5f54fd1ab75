import Placement
import Testing

@Suite("TopoLVM's extender and OpenEBS's weights")
struct TopoLVMTests {
  private let gib: Int64 = 1 << 30

  @Test(
    "the score is the logarithm of the free GiB, 0 only for nothing, 1 at least, 10 at most",
    arguments: [
      (0, 0), (1, 1), (512 << 20, 1), (1 << 30, 1), (3 << 30, 1), (4 << 30, 2), (7 << 30, 2), (8 << 30, 3),
      (100 << 30, 6), (1023 << 30, 9), (1024 << 30, 10), (4000 << 30, 10),
    ] as [(Int64, Int)])
  func score(capacity: Int64, score: Int) {
    #expect(TopoLVMPolicy.score(capacity: capacity, divisor: 1) == score)
  }

  @Test("a divisor shifts the scale", arguments: [(64, 10.0, 2), (640, 10.0, 6), (9, 10.0, 1), (10240, 10.0, 10)])
  func divisor(gibibytes: Int64, divisor: Double, score: Int) {
    #expect(TopoLVMPolicy.score(capacity: gibibytes * gib, divisor: divisor) == score)
  }

  @Test("a node scores as its scarcest class, and the request's size has no part in it")
  func leastClass() {
    let state = PlacementState(nodes: [
      NodeDescription(
        name: "node",
        pools: [
          PoolDescription(deviceClasses: [0], capacityBytes: 16 * gib),
          PoolDescription(deviceClasses: [1], capacityBytes: 500 * gib),
        ])
    ])
    let policy = TopoLVMPolicy()
    for size in [1, 15] {
      let demand = PlacementDemand(volumes: [
        VolumeRequest(deviceClass: 1, bytes: 100 * gib), VolumeRequest(deviceClass: 0, bytes: Int64(size) * gib),
      ])
      #expect(policy.score(demand, on: 0, in: state) == 4)
    }
  }

  @Test("OpenEBS: fewest volumes, least provisioned, most free")
  func openEBS() throws {
    var state = PlacementState(nodes: [
      NodeDescription(name: "many small", pools: [PoolDescription(capacityBytes: 100 * gib)]),
      NodeDescription(name: "one large", pools: [PoolDescription(capacityBytes: 100 * gib)]),
      NodeDescription(name: "two on a large pool", pools: [PoolDescription(capacityBytes: 500 * gib)]),
    ])
    for _ in 0..<3 { state.take(PlacementDemand(bytes: 10 * gib), on: 0) }
    state.take(PlacementDemand(bytes: 40 * gib), on: 1)
    for _ in 0..<2 { state.take(PlacementDemand(bytes: 30 * gib), on: 2) }
    let demand = PlacementDemand(bytes: gib)
    func best(_ weight: OpenEBSPolicy.Weight) -> Int? {
      var policy = OpenEBSPolicy(weight)
      return policy.choose(demand, in: state)
    }
    #expect(best(.volumeWeighted) == 1)
    #expect(best(.capacityWeighted) == 0)
    #expect(best(.spaceWeighted) == 2)
  }
}
