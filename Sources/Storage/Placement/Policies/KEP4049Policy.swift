/// The scheduler's StorageCapacityScoring, exactly: whole percents of requested over free, through a shape.
///
/// Source: KEP-4049, and kube-scheduler 1.36 (VolumeBinding's scorer). What it is blind to is kept: the score is the
/// request against what is free now, not against the pool's size; every node with more than a hundred times the request
/// scores the same; classes that share one pool are scored apart. Among equal scores the scheduler draws lots, and so
/// does this policy.
///
/// One thing is not kept. The KEP filters claim by claim (`passesFilter`), so that two claims of 80 GiB pass on a
/// node with 100 GiB free and only score 0. Here, as in every policy, a node where the demand doesn't fit as a whole is
/// never returned: the ranking is the KEP's, the filter is the engine's.
public struct KEP4049Policy: PlacementPolicy {
  /// A point of the shape: at this utilization (percent) this score (0...10).
  public struct ShapePoint: Sendable, Hashable {
    public var utilization: Int
    public var score: Int

    public init(utilization: Int, score: Int) {
      self.utilization = utilization
      self.score = score
    }
  }

  /// The default: the less of a node's free space is asked for, the better.
  public static let mostFree = [ShapePoint(utilization: 0, score: 10), ShapePoint(utilization: 100, score: 0)]
  /// The opposite: bin packing.
  public static let leastFree = [ShapePoint(utilization: 0, score: 0), ShapePoint(utilization: 100, score: 10)]

  public let name: String
  public let shape: [ShapePoint]
  private var random: SeededRandom

  /// - Parameter shape: points of ascending utilization.
  public init(shape: [ShapePoint] = KEP4049Policy.mostFree, name: String = "kep-4049", seed: UInt64 = 1) {
    self.shape = shape
    self.name = name
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

  /// The node's score in `0...100`: the rounded mean over the demand's classes, all of the same weight.
  public func score(_ demand: PlacementDemand, on node: Int, in state: PlacementState) -> Int {
    var (sum, classes) = (0, 0)
    for index in 0..<demand.count where isFirst(of: demand[index].deviceClass, index, demand) {
      guard let pool = state.pool(of: node, deviceClass: demand[index].deviceClass) else { continue }
      var requested: Int64 = 0
      for other in index..<demand.count where demand[other].deviceClass == demand[index].deviceClass {
        requested += demand[other].bytes
      }
      sum += score(requested: requested, capacity: state.free[pool])
      classes += 1
    }
    return classes == 0 ? 0 : Int((Double(sum) / Double(classes)).rounded())
  }

  /// One class's score in `0...100`, from the sum of the requests and `CSIStorageCapacity.capacity`, both in bytes.
  public func score(requested: Int64, capacity: Int64) -> Int {
    guard capacity > 0, requested <= capacity else { return score(utilization: 100) }
    let percent = requested.multipliedFullWidth(by: 100)
    return score(utilization: Int(capacity.dividingFullWidth(percent).quotient))
  }

  /// The shape at a whole percent, times ten; divisions round towards zero.
  public func score(utilization: Int) -> Int {
    guard let first = shape.first, let last = shape.last else { return 0 }
    if utilization <= first.utilization { return first.score * 10 }
    for (left, right) in zip(shape, shape.dropFirst()) where utilization <= right.utilization {
      let rise = (right.score - left.score) * 10 * (utilization - left.utilization)
      return left.score * 10 + rise / (right.utilization - left.utilization)
    }
    return last.score * 10
  }

  /// The KEP's own filter, which looks at one claim alone: at most `maximumVolumeSize`, or `capacity` where that is unset.
  public static func passesFilter(bytes: Int64, capacity: Int64?, maximumVolumeSize: Int64?) -> Bool {
    guard let limit = maximumVolumeSize ?? capacity else { return false }
    return bytes <= limit
  }

  private func isFirst(of deviceClass: Int, _ index: Int, _ demand: PlacementDemand) -> Bool {
    for earlier in 0..<index where demand[earlier].deviceClass == deviceClass { return false }
    return true
  }
}
