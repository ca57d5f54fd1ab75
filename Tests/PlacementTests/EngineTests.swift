import Placement
import Testing

@Suite("The placement engine")
struct EngineTests {
  private let gib: Int64 = 1 << 30

  /// `fast` (0) has a pool of its own; `bulk` (1) and `shared` (2) draw from one pool.
  private func engine(_ policy: any PlacementPolicy = MostFreePolicy()) -> PlacementEngine {
    PlacementEngine(
      nodes: (1...2).map { index in
        NodeDescription(
          name: "node-\(index)",
          pools: [
            PoolDescription(deviceClasses: [0], capacityBytes: 100 * gib, largestVolumeBytes: 60 * gib),
            PoolDescription(deviceClasses: [1, 2], capacityBytes: 100 * gib),
          ], milliCPU: 4000, memoryBytes: 16 * gib)
      }, policy: policy)
  }

  private func demand(_ volumes: (Int, Int64)..., milliCPU: Int64 = 0, memory: Int64 = 0) -> PlacementDemand {
    PlacementDemand(
      volumes: volumes.map { VolumeRequest(deviceClass: $0.0, bytes: $0.1 * gib) }, milliCPU: milliCPU,
      memoryBytes: memory * gib)
  }

  @Test("volumes of several classes on one pool must fit together")
  func jointFit() {
    let state = engine().state
    #expect(state.fits(demand((1, 60), (2, 40)), on: 0))
    #expect(!state.fits(demand((1, 60), (2, 41)), on: 0))
    #expect(state.fits(demand((0, 60), (1, 60), (2, 40)), on: 0))
    #expect(!state.fits(demand((0, 61)), on: 0), "larger than the pool's largest volume")
    #expect(state.fits(demand((0, 50), (0, 50)), on: 0))
    #expect(!state.fits(demand((0, 50), (0, 51)), on: 0))
    #expect(!state.fits(demand((3, 1)), on: 0), "no such class")
    #expect(!state.fits(PlacementDemand(volumes: [.init(bytes: .max), .init(bytes: .max)]), on: 0))
  }

  @Test("processor and memory are constraints beside the pools")
  func compute() throws {
    var engine = engine()
    try engine.place(demand((0, 1), milliCPU: 3500, memory: 1), id: 1, on: 0)
    #expect(engine.choose(demand((0, 1), milliCPU: 1000)) == 1)
    #expect(engine.choose(demand((0, 1), milliCPU: 4500)) == nil)
    #expect(engine.choose(demand((0, 1), memory: 16)) == 1)
    try engine.release(1)
    #expect(engine.state == self.engine().state)
  }

  @Test("a reservation holds its room until it is released or expires")
  func reservations() throws {
    var engine = engine()
    #expect(try engine.reserve(demand((1, 80)), id: 1, until: 10) == 0)
    #expect(try engine.reserve(demand((2, 80)), id: 2, until: 20) == 1)
    #expect(try engine.reserve(demand((1, 80)), id: 3, until: 30) == nil)
    #expect(throws: PlacementError.alreadyPlaced(id: 2)) { try engine.reserve(demand((1, 1)), id: 2, until: 40) }
    try engine.confirm(1)
    #expect(engine.expire(at: 9) == [])
    #expect(engine.expire(at: 25) == [2])
    #expect(engine.allocation(1)?.reservedUntil == nil)
    #expect(engine.allocation(2) == nil)
    #expect(throws: PlacementError.notPlaced(id: 2)) { try engine.confirm(2) }
    #expect(try engine.reserve(demand((1, 80)), id: 3, until: 30) == 1)
  }

  @Test("reservations end in the order of their times, and those that are gone or renewed are not ended again")
  func manyReservations() throws {
    var engine = PlacementEngine(
      nodes: [NodeDescription(name: "n", pools: [PoolDescription(capacityBytes: 1 << 40)])], policy: MostFreePolicy())
    var random = SeededRandom(seed: 5)
    var ends: [Int: Double] = [:]
    for id in 0..<2000 {
      let end = Double(Int.random(in: 0..<500, using: &random))
      _ = try engine.reserve(PlacementDemand(bytes: 1), id: id, until: end)
      ends[id] = end
      if id % 3 == 0 {
        try engine.release(id)
        ends[id] = nil
      } else if id % 3 == 1, id % 2 == 0 {
        try engine.confirm(id)
        ends[id] = nil
      } else if id % 5 == 0 {
        try engine.release(id)
        _ = try engine.reserve(PlacementDemand(bytes: 1), id: id, until: end + 100)
        ends[id] = end + 100
      }
    }
    for time in stride(from: 0.0, through: 700, by: 7) {
      let due = ends.filter { $0.value <= time }.map(\.key).sorted()
      #expect(engine.expire(at: time) == due)
      for id in due { ends[id] = nil }
    }
    #expect(ends.isEmpty)
    #expect(engine.state.freeBytes(ofPool: 0) == (1 << 40) - Int64(engine.allocationCount))
  }

  @Test("a volume grows where it stands, or not at all")
  func growth() throws {
    var engine = engine()
    try engine.place(demand((1, 40), (0, 10)), id: 1, on: 0)
    #expect(try engine.grow(1, volume: 0, toBytes: 100 * gib))
    #expect(try !engine.grow(1, volume: 0, toBytes: 101 * gib))
    #expect(try !engine.grow(1, volume: 1, toBytes: 61 * gib), "above the pool's largest volume")
    #expect(throws: PlacementError.invalidDemand(id: 1)) { try engine.grow(1, volume: 0, toBytes: 50 * gib) }
    #expect(throws: PlacementError.invalidDemand(id: 1)) { try engine.grow(1, volume: 2, toBytes: 50 * gib) }
    #expect(engine.allocation(1)?.steps == 1)
    try engine.release(1)
    #expect(engine.state == self.engine().state)
  }

  @Test("a move is refused where the target lacks room, and then changes nothing")
  func moves() throws {
    var engine = engine()
    try engine.place(demand((1, 60)), id: 1, on: 0)
    try engine.place(demand((1, 60)), id: 2, on: 1)
    let before = engine.state
    #expect(throws: PlacementError.doesNotFit(id: 1, node: 1)) { try engine.move(1, to: 1) }
    #expect(engine.state == before)
    try engine.release(2)
    try engine.move(1, to: 1)
    #expect(engine.allocation(1)?.node == 1)
    #expect(engine.allocations(on: 0).isEmpty)
    #expect(engine.state.freeBytes(ofPool: 1) == 100 * gib)
  }

  @Test("all moves at once, through each other's places, or none")
  func rearranged() throws {
    var engine = engine()
    try engine.place(demand((1, 90)), id: 1, on: 0)
    try engine.place(demand((1, 80)), id: 2, on: 1)
    try engine.rearrange([1: 1, 2: 0])
    #expect(engine.allocation(1)?.node == 1)
    #expect(engine.state.freeBytes(ofPool: 1) == 20 * gib)
    let before = engine.state
    #expect(throws: PlacementError.doesNotFit(id: 2, node: 1)) { try engine.rearrange([2: 1]) }
    #expect(throws: PlacementError.notPlaced(id: 3)) { try engine.rearrange([1: 0, 3: 1]) }
    #expect(engine.state == before)
    try engine.release(1)
    try engine.release(2)
    #expect(engine.state == self.engine().state)
  }

  @Test("a node that is drained takes nothing new")
  func drained() {
    var engine = engine()
    engine.setAvailable(false, node: 0)
    #expect(engine.choose(demand((0, 1))) == 1)
    engine.setAvailable(false, node: 1)
    #expect(engine.choose(demand((0, 1))) == nil)
  }

  @Test("in random worlds nothing is over-committed, and a replay of what is left equals the state", arguments: 1...12)
  func property(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let kinds = StandardPolicy.allCases
    let policy = kinds[Int(seed) % kinds.count]
    let nodes = World.nodes(&random)
    var engine = PlacementEngine(nodes: nodes, classCount: 3, policy: policy.make(classCount: 3, seed: seed))
    var shadow = World(nodes: nodes)
    var (time, next) = (0.0, 0)
    for _ in 0..<1500 {
      time += 1
      let living = shadow.living.keys.sorted()
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let demand = World.demand(&random)
        if next % 3 == 0 {
          if let node = try engine.reserve(demand, id: next, until: time + 50) {
            #expect(shadow.fits(demand, on: node), "\(policy) chose a node that does not fit")
            shadow.living[next] = (demand, node, time + 50)
          } else {
            #expect(!nodes.indices.contains { shadow.fits(demand, on: $0) }, "\(policy) overlooked a node that fits")
          }
        } else if let node = engine.decide(demand) {
          #expect(shadow.fits(demand, on: node), "\(policy) chose a node that does not fit")
          try engine.place(demand, id: next, on: node)
          shadow.living[next] = (demand, node, nil)
        } else {
          #expect(!nodes.indices.contains { shadow.fits(demand, on: $0) }, "\(policy) overlooked a node that fits")
        }
        let fitting = nodes.indices.filter { shadow.fits(demand, on: $0) }
        #expect(engine.rank(demand).map(\.node).sorted() == fitting)
        next += 1
      case 5, 6:
        guard let id = living.randomElement(using: &random) else { continue }
        try engine.release(id)
        shadow.living[id] = nil
      case 7:
        guard let id = living.randomElement(using: &random), let (demand, node, expiry) = shadow.living[id],
          demand.count > 0
        else { continue }
        let volume = Int.random(in: 0..<demand.count, using: &random)
        var grown = demand
        grown[volume].bytes += Int64.random(in: 0...20, using: &random) * gib
        shadow.living[id] = nil
        let fits = shadow.fits(grown, on: node)
        #expect(try engine.grow(id, volume: volume, toBytes: grown[volume].bytes) == fits)
        shadow.living[id] = (fits ? grown : demand, node, expiry)
      case 8:
        guard let id = living.randomElement(using: &random), let (demand, _, expiry) = shadow.living[id] else {
          continue
        }
        let target = nodes.indices.randomElement(using: &random) ?? 0
        if engine.state.fits(demand, on: target), engine.allocation(id)?.node != target {
          try engine.move(id, to: target)
          shadow.living[id] = (demand, target, expiry)
        }
      default:
        if Bool.random(using: &random), let id = living.randomElement(using: &random) {
          try engine.confirm(id)
          shadow.living[id]?.2 = nil
        }
        let due = shadow.living.filter { ($0.value.2 ?? .infinity) <= time }.keys.sorted()
        #expect(engine.expire(at: time) == due)
        for id in due { shadow.living[id] = nil }
      }
      for pool in 0..<engine.state.poolCount { #expect(engine.state.freeBytes(ofPool: pool) >= 0) }
    }
    // Replayed from nothing, what lives gives the same state.
    var replay = PlacementState(nodes: nodes, classCount: 3)
    for id in shadow.living.keys.sorted() {
      guard let allocation = engine.allocation(id) else { continue }
      replay.take(allocation.demand, on: allocation.node, steps: allocation.steps)
    }
    #expect(replay == engine.state)
    #expect(engine.allocationCount == shadow.living.count)
    for id in shadow.living.keys { try engine.release(id) }
    #expect(engine.state == PlacementState(nodes: nodes, classCount: 3))
  }
}

/// The same world kept in the plainest way: a list of what lives, summed up anew for every question.
struct World {
  let nodes: [NodeDescription]
  var living: [Int: (PlacementDemand, Int, Double?)] = [:]

  init(nodes: [NodeDescription]) { self.nodes = nodes }

  func fits(_ demand: PlacementDemand, on node: Int) -> Bool {
    let here = living.values.filter { $0.1 == node }.map(\.0) + [demand]
    guard here.reduce(0, { $0 + $1.milliCPU }) <= nodes[node].milliCPU,
      here.reduce(0, { $0 + $1.memoryBytes }) <= nodes[node].memoryBytes
    else { return false }
    for volume in demand.volumes {
      guard let pool = nodes[node].pools.first(where: { $0.deviceClasses.contains(volume.deviceClass) }),
        volume.bytes <= pool.largestVolumeBytes
      else { return false }
    }
    return nodes[node].pools.allSatisfy { pool in
      let used = here.flatMap(\.volumes).filter { pool.deviceClasses.contains($0.deviceClass) }
      return used.reduce(0) { $0 + $1.bytes } <= pool.capacityBytes
    }
  }

  static func nodes(_ random: inout SeededRandom) -> [NodeDescription] {
    (0..<Int.random(in: 1...6, using: &random)).map { index in
      let layouts: [[[Int]]] = [[[0], [1], [2]], [[0, 1, 2]], [[0], [1, 2]], [[0]], [[1, 2]], []]
      let layout = layouts.randomElement(using: &random) ?? []
      return NodeDescription(
        name: "node-\(index)",
        pools: layout.map { classes in
          PoolDescription(
            deviceClasses: classes, capacityBytes: Int64.random(in: 0...300, using: &random) << 30,
            largestVolumeBytes: Bool.random(using: &random) ? .max : Int64.random(in: 0...80, using: &random) << 30)
        }, milliCPU: Bool.random(using: &random) ? .max : Int64.random(in: 0...20_000, using: &random),
        memoryBytes: Bool.random(using: &random) ? .max : Int64.random(in: 0...100, using: &random) << 30)
    }
  }

  static func demand(_ random: inout SeededRandom) -> PlacementDemand {
    PlacementDemand(
      volumes: (0..<Int.random(in: 0...3, using: &random)).map { _ in
        VolumeRequest(
          deviceClass: Int.random(in: 0...2, using: &random), bytes: Int64.random(in: 0...40, using: &random) << 30)
      }, milliCPU: Int64.random(in: 0...2000, using: &random),
      memoryBytes: Int64.random(in: 0...8, using: &random) << 30)
  }
}
