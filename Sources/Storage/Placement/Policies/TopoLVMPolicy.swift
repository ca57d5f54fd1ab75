/// TopoLVM's scheduler extender, exactly: the binary logarithm of the free space in GiB, clamped to 1...10, the least
/// over the demand's classes. The request's size has no part in it.
///
/// Source: topolvm, `scheduler/prioritize.go`. From 1 TiB on (with divisor 1) all nodes score 10; lots are drawn among
/// equals, as the scheduler does.
public struct TopoLVMPolicy: PlacementPolicy {
  public let name = "topolvm"
  /// `default-divisor` of the extender's configuration.
  public let divisor: Double
  /// `divisors` of the extender's configuration, by device class.
  public let divisors: [Int: Double]
  private var random: SeededRandom

  public init(divisor: Double = 1, divisors: [Int: Double] = [:], seed: UInt64 = 1) {
    self.divisor = divisor
    self.divisors = divisors
    random = SeededRandom(seed: seed)
  }

  public mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int? {
    var lots = random
    defer { random = lots }
    return state.leastByLot(demand, &lots) { -Double(score(demand, on: $0, in: state)) }
  }

  public mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement] {
    state.ranking(of: demand) { -Double(score(demand, on: $0, in: state)) }
  }

  /// The node's score in `0...10`.
  public func score(_ demand: PlacementDemand, on node: Int, in state: PlacementState) -> Int {
    var least: Int?
    for index in 0..<demand.count {
      let deviceClass = demand[index].deviceClass
      guard let pool = state.pool(of: node, deviceClass: deviceClass) else { continue }
      let score = Self.score(capacity: state.free[pool], divisor: divisors[deviceClass] ?? divisor)
      least = min(least ?? score, score)
    }
    return least ?? 0
  }

  /// The score of one class from its free bytes: 0 where there is nothing, 1 below 1 GiB.
  public static func score(capacity: Int64, divisor: Double) -> Int {
    let gibibytes = capacity >> 30
    guard gibibytes > 0 else { return capacity > 0 ? 1 : 0 }
    let ratio = Double(gibibytes) / divisor
    guard ratio >= 2 else { return 1 }
    // The exponent of a double is the whole part of its binary logarithm, without rounding errors.
    return min(10, Int(ratio.exponent))
  }
}
