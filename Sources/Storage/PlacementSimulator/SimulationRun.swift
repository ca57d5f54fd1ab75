import Placement

/// A simulation under way: the engine, and the counters.
struct SimulationRun {
  private var engine: PlacementEngine
  private let planner = RepairPlanner()
  private let options: SimulationOptions
  private let cluster: SimulatedCluster
  private var result: SimulationResult
  private var time = -Double.infinity
  private(set) var requests = 0
  private var pendingInAll = 0
  private var usedBytes: Int64 = 0
  private var nextSample = 0
  private var sampleEvery = 256
  var largeBytes: Int64 = 0

  init(policy: any PlacementPolicy, cluster: SimulatedCluster, options: SimulationOptions) {
    engine = PlacementEngine(nodes: cluster.nodes, classCount: cluster.deviceClasses.count, policy: policy)
    result = SimulationResult(policy: policy.name, seed: options.seed)
    result.warmupRequests = options.warmupRequests
    self.options = options
    self.cluster = cluster
  }

  private var counts: Bool { requests > options.warmupRequests }

  /// Whether the run has failed by more than the options want to know.
  var mayStop: Bool {
    result.counts.pending > options.stopAfterPending
      || result.counts.failedExpansions > options.stopAfterFailedExpansions
  }

  mutating func handle(_ event: SimulationEvent) throws {
    guard event.time >= time else {
      throw SimulationError.timeWentBackwards(id: event.id, from: time, to: event.time)
    }
    time = event.time
    result.counts.events += 1
    switch event.change {
    case .arrive(let demand): try arrive(demand, id: event.id)
    case .delete: delete(event.id)
    case .grow(let volume, let bytes): try grow(event.id, volume: volume, toBytes: bytes)
    case .nodeLost(let node): try lose(node)
    case .nodeReturned(let node): try returned(node)
    case .drain(let node): try drain(node)
    }
  }

  private mutating func arrive(_ demand: PlacementDemand, id: Int) throws {
    guard engine.allocation(id) == nil else { throw SimulationError.duplicateID(id) }
    for volume in demand.volumes where volume.bytes < 0 || volume.deviceClass >= cluster.deviceClasses.count {
      throw SimulationError.invalidDemand(id: id)
    }
    requests += 1
    let bytes = demand.totalBytes
    let isLarge = bytes >= largeBytes
    if counts {
      result.counts.requests += 1
      result.counts.requestedBytes += bytes
      if isLarge { result.counts.largeRequests += 1 }
    }
    if let node = try engine.decide(demand) ?? repair(.place(demand)) {
      try engine.place(demand, id: id, on: node)
      usedBytes += bytes
      if counts { result.counts.admittedBytes += bytes }
    } else {
      pendingInAll += 1
      if counts {
        result.counts.pending += 1
        result.counts.pendingBytes += bytes
        if isLarge { result.counts.largePending += 1 }
      }
    }
    if requests >= nextSample { sample() }
  }

  /// Makes room by moves, where that is allowed and possible; returns the node that then has it.
  private mutating func repair(_ need: RepairNeed) throws -> Int? {
    if case .repack = options.repair {
      // One move is enough nearly always, and is much sooner found.
      if let plan = planner.plan(for: need, maximumMoves: 1, in: &engine) {
        for move in plan.moves { try engine.move(move.id, to: move.to) }
        return plan.node
      }
      guard let packing = Repack(cluster: cluster).pack(engine, for: need) else { return nil }
      try engine.rearrange(packing.nodes)
      return packing.needed
    }
    guard movesAllowed > 0, let plan = planner.plan(for: need, maximumMoves: movesAllowed, in: &engine) else {
      return nil
    }
    for move in plan.moves { try make(move) }
    return plan.node
  }

  private var movesAllowed: Int {
    if case .moves(let limit) = options.repair { limit } else { 0 }
  }

  private mutating func make(_ move: Move) throws {
    try engine.move(move.id, to: move.to)
    guard counts else { return }
    result.counts.moves += 1
    result.counts.movedBytes += move.bytes
    result.counts.downtimeSeconds += planner.cost.downtimeSeconds(move.bytes)
  }

  private mutating func delete(_ id: Int) {
    guard let allocation = try? engine.release(id) else { return }
    let bytes = allocation.demand.totalBytes
    usedBytes -= bytes
    engine.learn(
      .ended(
        deviceClass: allocation.demand.count > 0 ? allocation.demand[0].deviceClass : 0, bytes: bytes,
        times: allocation.steps))
  }

  private mutating func grow(_ id: Int, volume: Int, toBytes bytes: Int64) throws {
    guard let allocation = engine.allocation(id) else { return }
    guard volume >= 0, volume < allocation.demand.count, bytes >= allocation.demand[volume].bytes else {
      throw SimulationError.invalidDemand(id: id)
    }
    let request = allocation.demand[volume]
    engine.learn(
      .grew(deviceClass: request.deviceClass, fromBytes: request.bytes, toBytes: bytes, times: allocation.steps))
    if counts { result.counts.expansions += 1 }
    var granted = try engine.grow(id, volume: volume, toBytes: bytes)
    if !granted, try repair(.grow(id: id, volume: volume, toBytes: bytes)) != nil {
      granted = try engine.grow(id, volume: volume, toBytes: bytes)
    }
    if granted {
      usedBytes += bytes - request.bytes
      if counts {
        result.counts.expandedBytes += bytes - request.bytes
        result.counts.admittedBytes += bytes - request.bytes
      }
    } else if counts {
      result.counts.failedExpansions += 1
    }
  }

  /// The node's volumes are gone. Those who had them want them anew: they get a place where the planner finds one, and their
  /// bytes have to be restored there.
  private mutating func lose(_ node: Int) throws {
    try check(node)
    guard engine.state.isAvailable(node) || !engine.allocations(on: node).isEmpty else { return }
    let lost = engine.allocations(on: node)
    let plan = planner.drain(node, maximumMoves: movesAllowed, in: engine)
    engine.setAvailable(false, node: node)
    for move in plan.moves {
      if move.from != node {
        try make(move)
      } else {
        try engine.move(move.id, to: move.to)
        guard counts else { continue }
        result.counts.restoredBytes += move.bytes
        result.counts.downtimeSeconds += planner.cost.downtimeSeconds(move.bytes)
      }
    }
    for id in plan.stuck { usedBytes -= try engine.release(id).demand.totalBytes }
    if counts {
      result.counts.lostRequests += lost.count
      result.counts.unrestored += plan.stuck.count
    }
  }

  private mutating func returned(_ node: Int) throws {
    try check(node)
    engine.setAvailable(true, node: node)
  }

  private mutating func drain(_ node: Int) throws {
    try check(node)
    let plan = planner.drain(node, maximumMoves: movesAllowed, in: engine)
    engine.setAvailable(false, node: node)
    for move in plan.moves {
      try make(move)
      if counts, move.from == node {
        result.counts.drained += 1
        result.counts.drainedBytes += move.bytes
      }
    }
    if counts { result.counts.undrained += plan.stuck.count }
  }

  private func check(_ node: Int) throws {
    guard node >= 0, node < cluster.nodes.count else { throw SimulationError.unknownNode(node) }
  }

  private mutating func sample() {
    nextSample = requests + sampleEvery
    let room = engine.state.room(for: largeBytes)
    result.samples.append(
      SimulationResult.Sample(
        time: time, requests: requests, pending: pendingInAll, usedBytes: usedBytes,
        stranded: room.stranded, slots: room.slots))
    if options.recordsNodes { result.samples[result.samples.count - 1].nodeUse = engine.state.nodeUse }
    if result.samples.count > 2 * max(1, options.samples) { thinOut() }
  }

  /// Keeps every other sample, and from now on takes half as many.
  private mutating func thinOut() {
    result.samples = stride(from: 0, to: result.samples.count, by: 2).map { result.samples[$0] }
    sampleEvery *= 2
  }

  mutating func finish() -> SimulationResult {
    result.largeBytes = largeBytes
    let state = engine.state
    result.nodesAtEnd = (0..<state.nodeCount).map { node in
      let pools = state.pools(of: node)
      return SimulationResult.NodeAtEnd(
        name: state.names[node], capacityBytes: pools.reduce(0) { $0 + state.capacityBytes(ofPool: $1) },
        freeBytes: pools.reduce(0) { $0 + state.freeBytes(ofPool: $1) },
        volumes: pools.reduce(0) { $0 + state.volumeCount(ofPool: $1) })
    }
    return result
  }
}

extension PlacementState {
  /// How full each node is, from 0 to 1, its pools taken together.
  fileprivate var nodeUse: [Float] {
    (0..<nodeCount).map { node in
      let (free, capacity) = pools(of: node).reduce(into: (0.0, 0.0)) { sums, pool in
        sums.0 += Double(freeBytes(ofPool: pool))
        sums.1 += Double(capacityBytes(ofPool: pool))
      }
      return capacity == 0 ? 0 : Float(1 - free / capacity)
    }
  }
}
