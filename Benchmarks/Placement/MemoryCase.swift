import Placement

/// How many bytes the state of a large cluster takes: 10,000 nodes, 24 sizes learned; and each volume that is placed.
struct MemoryCase: Sendable {
  let options: BenchmarkOptions

  init(_ options: BenchmarkOptions) { self.options = options }

  private static let (nodes, sizes, volumes) = (10_000, 24, 200_000)

  func run() -> [String] {
    let sizes = StandardSizes.all
    var policy = ExpectedLossPolicy(name: "default")
    for _ in 0..<200 { for size in sizes { policy.learn(.requested(PlacementDemand(bytes: size))) } }
    let before = ProcessMemory.bytes(.resident)
    var engine = PlacementEngine(
      nodes: (0..<Self.nodes).map {
        NodeDescription(name: "node-\($0)", pools: [PoolDescription(capacityBytes: 8000 << 30)])
      }, policy: policy)
    _ = engine.decide(PlacementDemand(bytes: sizes[3]))
    let empty = ProcessMemory.bytes(.resident)
    var random = SeededRandom(seed: 1)
    var placed = 0
    while placed < Self.volumes {
      let demand = PlacementDemand(bytes: sizes[Int(random.unit() * random.unit() * 24)])
      let node = Int(random.next() % UInt64(Self.nodes))
      if (try? engine.place(demand, id: placed, on: node)) != nil { placed += 1 }
    }
    let full = ProcessMemory.bytes(.resident)
    let perNode = Double(empty - before) / Double(Self.nodes)
    let perClass = perNode / Double(Self.sizes)
    let perVolume = Double(full - empty) / Double(engine.allocationCount)
    print(
      "\nMemory of \(Self.nodes) nodes × \(Self.sizes) sizes: \(fixed(Double(empty - before) / 1e6, 1)) MB, "
        + "\(fixed(perNode, 0)) B a node, \(fixed(perClass, 1)) B a node and size; \(fixed(perVolume, 0)) B for each of "
        + "\(engine.allocationCount) volumes")
    return ["memory.per_node_and_class \(fixed(perClass, 1)) B", "memory.per_volume \(fixed(perVolume, 0)) B"]
  }
}

/// 24 sizes from 1 GiB to 2.9 TiB, two to an octave.
enum StandardSizes {
  static let all: [Int64] = (0..<24).map { index in
    let octave = Int64(1) << (30 + index / 2)
    return index % 2 == 0 ? octave : octave + octave * 2 / 5
  }
}
