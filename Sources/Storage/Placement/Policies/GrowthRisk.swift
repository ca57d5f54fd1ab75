/// What growth will cost where volumes stand: bytes that will not fit beside their neighbours, and have to move or fail.
///
/// A volume v of size s grows with probability g, by γ·s. Room for all of it together is not needed: before most of it
/// comes, neighbours have left, and the policy has stopped sending new ones. So what counts is each growth against about
/// the free space of now: Σ_v g·E[(γ·s_v + N - f)⁺], N normal for what wanders meanwhile. Small volumes cost nothing
/// until a pool is nearly full; one that holds a large volume that has yet to grow keeps that volume's room.
struct GrowthRisk: Sendable {
  private let settings: ExpectedLossSettings
  private var probability: [Double] = []
  private var ratio: [Double] = []
  private var meanRatio: [Double] = []
  private var variance: [Double] = []
  // By pool.
  private var mean: [Double] = []
  private var spread: [Double] = []
  private var risk: [Double] = []
  /// The largest growth that any volume of the pool may still make; far below the free space, nothing is at risk.
  private var largestGrowth: [Double] = []

  /// Growth less likely than this is not counted.
  private static let negligible = 1e-3
  /// Beyond so many standard deviations nothing is expected.
  private static let reach = 4.0

  init(_ settings: ExpectedLossSettings) { self.settings = settings }

  mutating func rebuild(from growth: GrowthStatistics, poolCount: Int) {
    let steps = 0..<PlacementState.growthSteps
    probability = steps.map { growth.probability($0) }
    meanRatio = steps.map { growth.mean($0) }
    ratio = steps.map { growth.mean($0) / max(1e-12, growth.probability($0)) }
    variance = steps.map { growth.variance($0) }
    mean = Array(repeating: 0, count: poolCount)
    spread = mean
    risk = mean
    largestGrowth = mean
  }

  /// Sums a pool up anew.
  mutating func update(pool: Int, in state: PlacementState, _ table: [Float]) {
    guard pool < risk.count else { return }
    (mean[pool], spread[pool], largestGrowth[pool]) = (0, 0, 0)
    for step in 0..<PlacementState.growthSteps {
      let base = (pool * PlacementState.growthSteps + step) * PlacementState.sizeBins
      for bin in base..<base + PlacementState.sizeBins where state.binCount[bin] > 0 {
        let bytes = Double(state.binBytes[bin])
        mean[pool] += meanRatio[step] * bytes
        let size = bytes / Double(state.binCount[bin])
        spread[pool] += variance[step] * bytes * size
        if probability[step] > Self.negligible { largestGrowth[pool] = max(largestGrowth[pool], ratio[step] * size) }
      }
    }
    risk[pool] = risk(pool, free: Double(state.free[pool]), mean: mean[pool], variance: spread[pool], state, table)
  }

  /// What the risk of a pool rises by when a new volume of so many bytes leaves it so little, in bytes.
  @inline(__always)
  func rise(pool: Int, free: Double, adding bytes: Double, in state: PlacementState, _ table: [Float]) -> Double {
    let mean = mean[pool] + meanRatio[0] * bytes
    let variance = spread[pool] + self.variance[0] * bytes * bytes
    var sum = risk(pool, free: free, mean: mean, variance: variance, state, table) - risk[pool]
    if settings.growthWeight > 0 {
      let sigma = settings.wander * variance.squareRoot()
      sum +=
        settings.growthWeight * probability[0] * NormalOverflow.of(ratio[0] * bytes - free, sigma: sigma, table)
    }
    return sum
  }

  @inline(__always)
  private func risk(
    _ pool: Int, free: Double, mean: Double, variance: Double, _ state: PlacementState, _ table: [Float]
  ) -> Double {
    var sum = 0.0
    let sigma = variance.squareRoot()
    let wander = settings.wander * sigma
    if settings.growthWeight > 0, largestGrowth[pool] > free - Self.reach * wander {
      for step in 0..<PlacementState.growthSteps where probability[step] > Self.negligible {
        let base = (pool * PlacementState.growthSteps + step) * PlacementState.sizeBins
        for bin in (base..<base + PlacementState.sizeBins).reversed() where state.binCount[bin] > 0 {
          let count = Double(state.binCount[bin])
          let beyond = ratio[step] * Double(state.binBytes[bin]) / count - free
          // The bins below hold smaller volumes.
          if beyond < -Self.reach * wander { break }
          sum += settings.growthWeight * count * probability[step] * NormalOverflow.of(beyond, sigma: wander, table)
        }
      }
    }
    if settings.totalGrowthWeight > 0 {
      sum += settings.totalGrowthWeight * NormalOverflow.of(mean - free, sigma: sigma, table)
    }
    return sum
  }
}
