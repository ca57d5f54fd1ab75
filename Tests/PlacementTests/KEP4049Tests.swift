import Placement
import Testing

/// Scores that kube-scheduler 1.36 gave with the gate StorageCapacityScoring on, on three nodes of an API server.
struct MeasuredScores: Sendable, CustomTestStringConvertible {
  var testDescription: String
  /// Claims in GiB.
  var claims: [Int64]
  /// `CSIStorageCapacity.capacity` in GiB, by node.
  var capacity: [Int64]
  var scores: [Int]
}

@Suite("KEP-4049")
struct KEP4049Tests {
  private static let gib: Int64 = 1 << 30

  static let mostFree = [
    MeasuredScores(testDescription: "A capacity only", claims: [10], capacity: [100, 200, 50], scores: [90, 95, 80]),
    MeasuredScores(
      testDescription: "B equal capacity, the maximum has no part", claims: [10], capacity: [100, 100, 100],
      scores: [90, 90, 90]),
    MeasuredScores(testDescription: "C maximum equal", claims: [10], capacity: [100, 200, 50], scores: [90, 95, 80]),
    MeasuredScores(
      testDescription: "C2 maximum opposite", claims: [10], capacity: [100, 200, 50], scores: [90, 95, 80]),
    MeasuredScores(testDescription: "D two nodes left", claims: [10], capacity: [100, 50], scores: [90, 80]),
    MeasuredScores(testDescription: "E request above capacity", claims: [10], capacity: [100, 5], scores: [90, 0]),
    MeasuredScores(testDescription: "G two claims", claims: [10, 80], capacity: [100, 200, 85], scores: [10, 55, 0]),
    MeasuredScores(
      testDescription: "G2 two claims above all", claims: [80, 80], capacity: [100, 100, 90], scores: [0, 0, 0]),
    MeasuredScores(
      testDescription: "H fine difference", claims: [1], capacity: [1000, 1001, 1500], scores: [100, 100, 100]),
    MeasuredScores(testDescription: "I no object for c", claims: [10], capacity: [100, 200], scores: [90, 95]),
    MeasuredScores(testDescription: "J capacity 0", claims: [10], capacity: [0, 12], scores: [0, 17]),
  ]
  static let leastFree = [
    MeasuredScores(testDescription: "A capacity only", claims: [10], capacity: [100, 200, 50], scores: [10, 5, 20]),
    MeasuredScores(
      testDescription: "B equal capacity", claims: [10], capacity: [100, 100, 100], scores: [10, 10, 10]),
    MeasuredScores(
      testDescription: "E a full pool attracts", claims: [10], capacity: [100, 12, 5], scores: [10, 83, 100]),
    MeasuredScores(testDescription: "J capacity 0 attracts", claims: [10], capacity: [0, 12], scores: [100, 83]),
  ]

  private func scores(_ policy: KEP4049Policy, _ measured: MeasuredScores) -> [Int] {
    let state = PlacementState(
      nodes: measured.capacity.map {
        NodeDescription(name: "node", pools: [PoolDescription(capacityBytes: $0 * Self.gib)])
      })
    let demand = PlacementDemand(volumes: measured.claims.map { VolumeRequest(bytes: $0 * Self.gib) })
    return measured.capacity.indices.map { policy.score(demand, on: $0, in: state) }
  }

  @Test("the default shape gives the scheduler's scores", arguments: mostFree)
  func defaultShape(_ measured: MeasuredScores) {
    #expect(scores(KEP4049Policy(), measured) == measured.scores)
  }

  @Test("the bin-packing shape gives the scheduler's scores", arguments: leastFree)
  func packingShape(_ measured: MeasuredScores) {
    #expect(scores(KEP4049Policy(shape: KEP4049Policy.leastFree), measured) == measured.scores)
  }

  @Test("a shape of four points gives the scheduler's scores, before its plugin weight of 20")
  func fourPoints() {
    let points: [(Int, Int)] = [(0, 0), (10, 10), (20, 3), (100, 0)]
    let shape = points.map { KEP4049Policy.ShapePoint(utilization: $0.0, score: $0.1) }
    let measured = MeasuredScores(testDescription: "A", claims: [10], capacity: [100, 200, 50], scores: [])
    #expect(scores(KEP4049Policy(shape: shape), measured).map { $0 * 20 } == [2000, 1000, 600])
  }

  @Test("classes count equally, whatever their sizes")
  func classesAverage() {
    let state = PlacementState(nodes: [
      NodeDescription(
        name: "node",
        pools: [
          PoolDescription(deviceClasses: [0], capacityBytes: 100 * Self.gib),
          PoolDescription(deviceClasses: [1], capacityBytes: 1000 * Self.gib),
        ])
    ])
    // Class 0: (10 + 20) of 100 is 30 %, score 70. Class 1: 5 of 1000 is 0 %, score 100. Mean 85.
    let demand = PlacementDemand(volumes: [
      VolumeRequest(deviceClass: 0, bytes: 10 * Self.gib), VolumeRequest(deviceClass: 1, bytes: 5 * Self.gib),
      VolumeRequest(deviceClass: 0, bytes: 20 * Self.gib),
    ])
    #expect(KEP4049Policy().score(demand, on: 0, in: state) == 85)
  }

  @Test(
    "the KEP's own filter takes each claim alone, by the maximum size where there is one",
    arguments: [
      (10, 100, 20, true), (10, 200, 5, false), (10, 5, 50, true), (10, 5, nil, false), (10, 100, nil, true),
    ] as [(Int64, Int64?, Int64?, Bool)])
  func filter(bytes: Int64, capacity: Int64?, maximum: Int64?, passes: Bool) {
    #expect(KEP4049Policy.passesFilter(bytes: bytes, capacity: capacity, maximumVolumeSize: maximum) == passes)
  }

  @Test("a node that only the KEP's filter would let pass is not returned (G2)")
  func jointFit() {
    let nodes = [100, 100, 90].map { size in
      NodeDescription(name: "n", pools: [PoolDescription(capacityBytes: size * Self.gib)])
    }
    let state = PlacementState(nodes: nodes)
    let demand = PlacementDemand(volumes: [VolumeRequest(bytes: 80 * Self.gib), VolumeRequest(bytes: 80 * Self.gib)])
    var policy = KEP4049Policy()
    #expect(policy.choose(demand, in: state) == nil)
    #expect(policy.rank(demand, in: state).isEmpty)
  }

  @Test("equal scores are decided by lot, as by the scheduler (H)")
  func lots() {
    let state = PlacementState(
      nodes: [1000, 1001, 1500].map { size in
        NodeDescription(name: "n", pools: [PoolDescription(capacityBytes: size * Self.gib)])
      })
    var policy = KEP4049Policy(seed: 7)
    let chosen = Set((0..<100).compactMap { _ in policy.choose(PlacementDemand(bytes: Self.gib), in: state) })
    #expect(chosen == [0, 1, 2])
  }
}
