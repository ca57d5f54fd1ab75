import BoundedNumbers
import KubernetesAPI

/// The volumes a pod still needs, all of which must come from one node.
public struct VolumeDemand: Sendable, Hashable {
  public struct Claim: Sendable, Hashable {
    public var key: ObjectKey
    /// What its class takes volumes from (`StoragePool`).
    public var pool: String
    public var bytes: Int64

    public init(key: ObjectKey, pool: String, bytes: Int64) {
      self.key = key
      self.pool = pool
      self.bytes = bytes
    }
  }

  public var pod: ObjectKey
  public var claims: [Claim]

  public init(pod: ObjectKey, claims: [Claim]) {
    self.pod = pod
    self.claims = claims
  }

  public func bytes(of pool: String) -> Int64 { claims.reduce(0) { $1.pool == pool ? $0.clampedAdding($1.bytes) : $0 } }
}

/// What a node has to give for new volumes, by pool.
public struct NodeStorage: Sendable, Hashable {
  public struct Pool: Sendable, Hashable {
    /// What the driver says is free (CSIStorageCapacity `capacity`).
    public var publishedFreeBytes: Int64
    /// Promised to claims whose volumes are on the way; part of `publishedFreeBytes` still.
    public var reservedBytes: Int64
    /// The largest single volume (CSIStorageCapacity `maximumVolumeSize`); `nil`: no limit of its own.
    public var maximumVolumeBytes: Int64?

    public init(publishedFreeBytes: Int64, reservedBytes: Int64 = 0, maximumVolumeBytes: Int64? = nil) {
      self.publishedFreeBytes = publishedFreeBytes
      self.reservedBytes = reservedBytes
      self.maximumVolumeBytes = maximumVolumeBytes
    }

    public var freeBytes: Int64 { max(0, publishedFreeBytes.clampedSubtracting(reservedBytes)) }
  }

  public var node: String
  public var pools: [String: Pool]
  /// The pod may go there. Other nodes are given for what the cluster has in all.
  public var isCandidate: Bool

  public init(node: String, pools: [String: Pool], isCandidate: Bool = true) {
    self.node = node
    self.pools = pools
    self.isCandidate = isCandidate
  }

  /// The volumes fit: of each pool their sum, and each alone.
  public func fits(_ demand: VolumeDemand) -> Bool {
    demand.claims.allSatisfy { claim in
      // A pool without figures is one whose driver publishes none: only trying tells.
      guard let pool = pools[claim.pool] else { return true }
      return claim.bytes <= pool.maximumVolumeBytes ?? .max && demand.bytes(of: claim.pool) <= pool.freeBytes
    }
  }
}

/// A node in the order of preference, and why it stands there.
public struct RankedNode: Sendable, Hashable {
  public var node: String
  /// For people: "10 GiB of 100 GiB free stay in one piece".
  public var reason: String

  public init(node: String, reason: String) {
    self.node = node
    self.reason = reason
  }
}

/// What a claim has made known; each claim's request is told once, whatever becomes of its pod.
public enum VolumeObservation: Sendable, Hashable {
  /// A volume of so many bytes is asked for.
  case requested(pool: String, bytes: Int64)
  /// More is asked for than before; `times` is how often it had grown already.
  case grew(pool: String, from: Int64, to: Int64, times: Int)
  /// The claim is gone; `times` is how often it had grown.
  case ended(pool: String, bytes: Int64, times: Int)
}

/// Says which node's storage suits a pod's volumes best.
public protocol VolumeNodeRanking: Sendable {
  /// - Parameters:
  ///   - demand: volumes to be made together on one node; at least one.
  ///   - nodes: all nodes that take pods. Only on the candidates does the demand fit, as far as is known.
  /// - Returns: candidates, best first; those left out come last.
  func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode]

  /// Learns from what is asked for.
  func learn(_ observation: VolumeObservation)
}

extension VolumeNodeRanking {
  public func learn(_ observation: VolumeObservation) {}
}

/// The node with the most space left wins: what stock kube-scheduler does with storage capacity scoring.
public struct MostFreeStorageRanking: VolumeNodeRanking {
  public init() {}

  public func rank(_ demand: VolumeDemand, among nodes: [NodeStorage]) -> [RankedNode] {
    nodes.filter(\.isCandidate).map { node in
      let left =
        Set(demand.claims.map(\.pool)).map { name in
          node.pools[name].map { $0.freeBytes.clampedSubtracting(demand.bytes(of: name)) } ?? 0
        }.min() ?? 0
      return (node.node, left)
    }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
      .map { RankedNode(node: $0.0, reason: "\(Quantity(bytes: max(0, $0.1))) stay free") }
  }
}
