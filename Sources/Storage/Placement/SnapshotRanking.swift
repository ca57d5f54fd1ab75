/// What one node's pools have left, as far as placement is concerned. All sizes are bytes.
public struct NodePools: Sendable, Hashable {
  public struct Pool: Sendable, Hashable {
    /// What may still be promised, reservations subtracted.
    public var freeBytes: Int64
    /// The largest single volume.
    public var largestVolumeBytes: Int64

    public init(freeBytes: Int64, largestVolumeBytes: Int64) {
      self.freeBytes = freeBytes
      self.largestVolumeBytes = largestVolumeBytes
    }
  }

  public var node: String
  /// By storage class.
  public var pools: [String: Pool]
  /// The demand may go there. Other nodes only count for what the cluster has: they are never returned, nor named.
  public var isCandidate: Bool

  public init(node: String, pools: [String: Pool], isCandidate: Bool = true) {
    self.node = node
    self.pools = pools
    self.isCandidate = isCandidate
  }
}

/// One place that a demand fits, and why it stands where it does in the ranking.
public struct PlacementChoice: Sendable, Hashable {
  public var node: String
  public var reason: String

  public init(node: String, reason: String) {
    self.node = node
    self.reason = reason
  }
}

/// A rule that orders the nodes where a demand fits.
public protocol SnapshotRanking: Sendable {
  /// - Parameter demand: the sizes of a pod's new volumes by storage class; volumes of a class are placed jointly.
  /// - Returns: the candidates that fit, best first. Never a node that does not fit.
  func rank(_ demand: [String: [Int64]], among nodes: [NodePools]) -> [PlacementChoice]

  /// Learns from a demand. To be called once for each, not for each attempt to place it.
  func learn(_ demand: [String: [Int64]])

  /// Learns that a volume asked to grow; `times` is how often it had grown before.
  func learnGrowth(of storageClass: String, from old: Int64, to new: Int64, times: Int)

  /// Learns that a volume ended its life; `times` is how often it had grown.
  func learnEnd(of storageClass: String, bytes: Int64, times: Int)
}

extension SnapshotRanking {
  public func learn(_ demand: [String: [Int64]]) {}
  public func learnGrowth(of storageClass: String, from old: Int64, to new: Int64, times: Int) {}
  public func learnEnd(of storageClass: String, bytes: Int64, times: Int) {}
}

extension NodePools {
  /// Whether all volumes fit together: each below the largest, and their sum within what is free.
  public func fits(_ demand: [String: [Int64]]) -> Bool {
    demand.allSatisfy { storageClass, sizes in
      guard let pool = pools[storageClass] else { return sizes.isEmpty }
      return sizes.allSatisfy { $0 <= pool.largestVolumeBytes } && sizes.reduce(0, +) <= pool.freeBytes
    }
  }
}

/// Prefers the node that keeps the most room after the demand was placed, in its scarcest pool.
///
/// The rule behind "most free space first" (KEP-4049's default shape), without its rounding to whole percents.
public struct MostFreePlacement: SnapshotRanking {
  public init() {}

  public func rank(_ demand: [String: [Int64]], among nodes: [NodePools]) -> [PlacementChoice] {
    let fitting = nodes.filter { $0.isCandidate && $0.fits(demand) }.map { node in
      (node: node.node, left: Self.left(node, after: demand))
    }
    return fitting.sorted { ($1.left, $0.node) < ($0.left, $1.node) }.map {
      PlacementChoice(node: $0.node, reason: "keeps \(PlacementReasons.size($0.left)) free")
    }
  }

  private static func left(_ node: NodePools, after demand: [String: [Int64]]) -> Int64 {
    demand.map { storageClass, sizes in
      (node.pools[storageClass]?.freeBytes ?? 0) - sizes.reduce(0, +)
    }.min() ?? node.pools.values.map(\.freeBytes).max() ?? 0
  }
}
