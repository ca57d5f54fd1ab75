/// Places where the expected loss of future requests, and of growth to come, rises least.
///
/// For every size s_k that is asked for, S_k is how many slots are left in the cluster and M_k how many of that size live
/// at a time. Loss by requests: Σ_k M_k·s_k·exp(-S_k/τ_k), τ_k = β(1 + √M_k), so that a size with many slots to spare
/// costs nothing to nibble at while the last slots of a large one are priced like gold. Loss by growth: `GrowthRisk`.
/// Both are in bytes. Small volumes thus pack into pools that are broken already, until growth says that they are full.
///
/// Ours; what it stands on: the sum over sizes of Weng et al. (FGD, USENIX ATC 2023), which does not see how *many* slots
/// remain; barrier functions on level counts (Gupta, Radovanovic, "Interior-point-based online stochastic bin packing",
/// Operations Research 68, 2020).
public struct ExpectedLossPolicy: PlacementPolicy {
  public let name: String
  public let settings: ExpectedLossSettings
  public internal(set) var statistics: RequestStatistics

  private var models: [SlotModel] = []
  private var growth: GrowthRisk
  private var relearnAt = 1
  private var isStale = true

  /// - Parameter statistics: what was learned before, where there is something.
  public init(
    name: String = "expected-loss", settings: ExpectedLossSettings = ExpectedLossSettings(), classCount: Int = 1,
    statistics: RequestStatistics? = nil
  ) {
    self.name = name
    self.settings = settings
    self.statistics = statistics ?? RequestStatistics(classCount: classCount)
    growth = GrowthRisk(settings)
  }

  public mutating func learn(_ observation: PlacementObservation) {
    statistics.learn(observation)
    guard statistics.observations >= relearnAt else { return }
    relearnAt = statistics.observations + min(4096, max(1, statistics.observations / 4))
    isStale = true
  }

  public mutating func rebuild(from state: PlacementState) {
    isStale = false
    // A state that is a snapshot of free space knows no volumes; what was asked for lately stands for them.
    let placed = Double(state.volumes.reduce(0) { $0 + Int($1) })
    let live = placed > 0 ? placed : min(1000, Double(statistics.observations))
    models = statistics.sizes.map { histogram in
      SlotModel(
        histogram.sizes(limit: settings.sizes), live: live, nodeCount: state.nodeCount, settings: settings)
    }
    growth.rebuild(from: statistics.growth, poolCount: state.poolCount)
    for node in 0..<state.nodeCount { update(node: node, in: state) }
  }

  public mutating func update(node: Int, in state: PlacementState) {
    if isStale { return }
    for deviceClass in models.indices {
      guard let pool = state.pool(of: node, deviceClass: deviceClass) else { continue }
      models[deviceClass].update(node: node, free: state.available[node] ? Double(state.free[pool]) : nil, in: state)
    }
    let table = NormalOverflow.values
    for pool in state.pools(of: node) { growth.update(pool: pool, in: state, table) }
  }

  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    prepare(demand, in: state)
    let table = NormalOverflow.values
    return state.least(demand) { cost(of: demand, on: $0, in: state, table) }
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    prepare(demand, in: state)
    let table = NormalOverflow.values
    return state.ranking(of: demand) { cost(of: demand, on: $0, in: state, table) }
  }

  private mutating func prepare(_ demand: PlacementDemand, in state: PlacementState) {
    if isStale { rebuild(from: state) }
    let bytes = Double(demand.totalBytes)
    for index in models.indices { models[index].setPrices(bytes: bytes) }
  }

  @inline(__always)
  private func cost(of demand: PlacementDemand, on node: Int, in state: PlacementState, _ table: [Float]) -> Double {
    if demand.count == 1, models.count == 1, let pool = state.pool(of: node, deviceClass: 0) {
      let bytes = Double(demand[0].bytes)
      let free = Double(state.free[pool]) - bytes
      return models[0].loss(
        node: node, free: free, milliCPU: Double(demand.milliCPU), memory: Double(demand.memoryBytes), in: state)
        + growth.rise(pool: pool, free: free, adding: bytes, in: state, table) + free * Self.tieBreak
    }
    return jointCost(of: demand, on: node, in: state, table)
  }

  /// Several volumes or classes: each pool once, with all that comes into it; all classes that draw from it lose slots.
  private func jointCost(of demand: PlacementDemand, on node: Int, in state: PlacementState, _ table: [Float])
    -> Double
  {
    var sum = 0.0
    for pool in state.pools(of: node) {
      let added = state.bytes(of: demand, inPool: pool, on: node)
      let free = Double(state.free[pool] - added)
      for deviceClass in models.indices where state.pool(of: node, deviceClass: deviceClass) == pool {
        sum += models[deviceClass].loss(
          node: node, free: free, milliCPU: Double(demand.milliCPU), memory: Double(demand.memoryBytes), in: state)
      }
      guard added > 0 else { continue }
      sum += growth.rise(pool: pool, free: free, adding: Double(added), in: state, table) + free * Self.tieBreak
    }
    return sum
  }

  /// Among equal losses the fuller node: per free byte, far below any loss that matters.
  private static let tieBreak = 1e-9
}
