/// Fragmentation gradient descent: the node where the expected unusable free space rises least.
///
/// Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
/// Descent", USENIX ATC 2023. In one dimension F(f) = f · P(a request is larger than f), with the requests' learned
/// distribution; equal gradients go to the fuller node. A pool that still holds the request once counts as perfect,
/// however few times it holds it: that is what expected-loss placement adds.
public struct FragmentationGradientPolicy: PlacementPolicy {
  public let name = "fgd"
  private var statistics: RequestStatistics
  /// By device class: sizes with the share of requests that are larger than or equal to them, ascending.
  private var tails: [[(bytes: Int64, share: Double)]] = []
  private var relearnAt = 1

  public init(classCount: Int = 1) { statistics = RequestStatistics(classCount: classCount) }

  public mutating func learn(_ observation: PlacementObservation) {
    guard case .requested = observation else { return }
    statistics.learn(observation)
    guard statistics.observations >= relearnAt else { return }
    relearnAt = statistics.observations + min(1024, max(1, statistics.observations / 4))
    tails = statistics.sizes.map { histogram in
      var share = 0.0
      return histogram.sizes(limit: 64).reversed().map { size in
        share += size.share
        return (size.bytes, share)
      }.reversed()
    }
  }

  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    var best: (node: Int, cost: Double, free: Int64)?
    for node in 0..<state.nodeCount where state.fits(demand, on: node) {
      let cost = gradient(demand, on: node, in: state)
      let free = state.scarcestFree(demand, on: node)
      if let best, (best.cost, best.free) <= (cost, free) { continue }
      best = (node, cost, free)
    }
    return best?.node
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    // The fuller node first among equal gradients: a byte of difference is far below any real gradient.
    state.ranking(of: demand) { node in
      gradient(demand, on: node, in: state) + Double(state.scarcestFree(demand, on: node)) * 1e-9
    }
  }

  private func gradient(_ demand: PlacementDemand, on node: Int, in state: PlacementState) -> Double {
    var sum = 0.0
    for index in 0..<demand.count {
      let deviceClass = demand[index].deviceClass
      guard let pool = state.pool(of: node, deviceClass: deviceClass), deviceClass < tails.count else { continue }
      let (before, after) = (state.free[pool], state.free[pool] - demand[index].bytes)
      sum += unusable(after, deviceClass) - unusable(before, deviceClass)
    }
    return sum
  }

  /// F(f) in bytes.
  private func unusable(_ free: Int64, _ deviceClass: Int) -> Double {
    guard let larger = tails[deviceClass].first(where: { $0.bytes > free }) else { return 0 }
    return Double(free) * larger.share
  }
}
