import Placement

/// How many requests and expansions of a history *any* policy must refuse on a cluster: one that knows the future and moves
/// whatever it likes for nothing included.
///
/// At a moment at which more lives than there is room for, the excess must have been refused. The cheapest way to refuse it
/// is a knapsack over what lives; relaxed to fractions, and by Martello and Toth's L2 where volumes do not pack. Moments are
/// chosen apart from each other; who lives at several of them has its cost split evenly among them, so that no refusal is
/// counted twice: the sum over the moments is a solution of the dual of the whole history's linear program, and a true bound
/// for every choice of moments. Some choices are tried, and the largest sum is taken.
public struct RefusalBound: Sendable {
  private let stays: Stays
  private let classCount: Int

  /// Requests and expansions of the history that count.
  public var requests: Int { stays.requests }
  public var expansions: Int { stays.expansions }

  /// `nil` for a history of more than two million requests.
  public init?(
    _ workload: any Workload, seed: UInt64 = 1, classCount: Int = 1, warmupRequests: Int = 0,
    maximumRequests: Int = .max
  ) throws {
    self.classCount = classCount
    guard
      let stays = try Stays(
        workload, seed: seed, classCount: classCount, warmupRequests: warmupRequests, maximumRequests: maximumRequests)
    else { return nil }
    self.stays = stays
  }

  /// The least number of refusals, Pending requests and failed expansions together.
  public struct Refusals: Sendable, Hashable {
    /// By the sums of what lives.
    public var l1: Int
    /// By Martello and Toth's bound too; never below `l1`.
    public var l2: Int
  }

  public func refusals(on cluster: SimulatedCluster) -> Refusals {
    var least = (l1: 0.0, l2: 0.0)
    for cover in covers(on: cluster) {
      let cost = cover.sum(request: 1, expansion: 1)
      least = (max(least.l1, cost.l1), max(least.l2, cost.l2))
    }
    // Refusals are whole; a rounding error must not make one more of them.
    func whole(_ sum: Double) -> Int { Int((sum - 1e-6).rounded(.up)) }
    return Refusals(l1: whole(least.l1), l2: whole(max(least.l1, least.l2)))
  }

  /// Whether some policy may keep to both limits, for all that this bound can tell; `false` is proof that none does.
  ///
  /// A policy that keeps to both limits pays at most 1 for its refusals when a Pending request costs α/limit and a failed
  /// expansion (1 - α)/limit, whatever α in 0...1.
  public func allows(pendingLimit: Double, failedExpansionLimit: Double, on cluster: SimulatedCluster) -> Bool {
    let pending = max(1e-9, pendingLimit * Double(requests))
    let failed = max(1e-9, failedExpansionLimit * Double(expansions))
    for cover in covers(on: cluster) {
      for share in expansions > 0 ? [0.5, 0.8, 0.3] : [1.0] {
        let cost = cover.sum(request: share / pending, expansion: (1 - share) / failed)
        if max(cost.l1, cost.l2) > 1 { return false }
      }
    }
    return true
  }

  /// By some choices of moments: what is far apart is counted whole, what is near in parts; which is better depends on the
  /// lives.
  private func covers(on cluster: SimulatedCluster) -> [CoverCost] {
    let room = BoundedRoom(cluster, classCount: classCount)
    let peaks = LoadPeaks(stays, room)
    return [2, 1, 0.5, 0.25].compactMap { apart in
      let moments = peaks.moments(apart: apart)
      return moments.isEmpty ? nil : CoverCost(stays, room, moments: moments)
    }
  }
}

/// What a cluster has by dimension, with all its nodes put together.
struct BoundedRoom {
  /// By dimension; `.infinity` where there is no limit.
  var whole: [Double]
  /// By dimension: the capacity of one node, where all nodes are equal and the dimension has a limit.
  var node: [Int64?]
  var nodeCount: Int

  init(_ cluster: SimulatedCluster, classCount: Int) {
    nodeCount = cluster.nodes.count
    var byNode = [[Int64]](repeating: [], count: classCount + 2)
    for node in cluster.nodes {
      for deviceClass in 0..<classCount {
        // A class draws from one pool of a node: the last that names it, as in `PlacementState`.
        byNode[deviceClass].append(node.pools.last { $0.deviceClasses.contains(deviceClass) }?.capacityBytes ?? 0)
      }
      byNode[classCount].append(node.milliCPU)
      byNode[classCount + 1].append(node.memoryBytes)
    }
    whole = byNode.map { values in
      values.contains(.max) ? .infinity : values.reduce(0.0) { $0 + Double($1) }
    }
    node = byNode.map { values in
      guard let first = values.first, first < .max, values.allSatisfy({ $0 == first }) else { return nil }
      return first
    }
  }
}
