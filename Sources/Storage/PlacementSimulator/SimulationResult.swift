/// What one run of the simulator counted. Counters cover the time after the warm-up.
public struct SimulationResult: Sendable, Hashable {
  /// The policy's name.
  public var policy: String
  public var seed: UInt64
  /// So many requests came before the counters began.
  public var warmupRequests = 0
  public var counts = Counts()
  /// The request size from which a request counts as large, in bytes.
  public var largeBytes: Int64 = 0
  /// Evenly spread over the requests, in the order of time.
  public var samples: [Sample] = []
  /// How it stood at the end, by node.
  public var nodesAtEnd: [NodeAtEnd] = []
  /// What no policy can beat; see `Bounds`.
  public var bounds = Bounds()

  public init(policy: String, seed: UInt64) {
    self.policy = policy
    self.seed = seed
  }

  public struct Counts: Sendable, Hashable {
    /// Everything that came from the workload, the warm-up included.
    public var events = 0
    public var requests = 0
    public var requestedBytes: Int64 = 0
    /// Requests that fitted nowhere at their first attempt, after repair where it is allowed. They leave.
    public var pending = 0
    public var pendingBytes: Int64 = 0
    /// Requests of at least `largeBytes`, and how many of them were Pending.
    public var largeRequests = 0
    public var largePending = 0
    public var expansions = 0
    public var expandedBytes: Int64 = 0
    /// Expansions that found no room on their node, after repair where it is allowed. The volume keeps its size.
    public var failedExpansions = 0
    /// What was admitted, expansions included, in bytes.
    public var admittedBytes: Int64 = 0
    public var moves = 0
    public var movedBytes: Int64 = 0
    /// How long the owners of what moved stood still, in seconds, all together; see `RepairCost.downtimeSeconds`.
    public var downtimeSeconds = 0.0
    /// Requests that were moved off nodes that are drained, and their bytes; both are also counted as moves.
    public var drained = 0
    public var drainedBytes: Int64 = 0
    /// Requests that a drain found no place for; they stay where they are.
    public var undrained = 0
    /// Requests that went down with a lost node, and the bytes to be restored, from backups, for those that found
    /// another place.
    public var lostRequests = 0
    public var restoredBytes: Int64 = 0
    /// Requests that went down with a lost node and found no other place.
    public var unrestored = 0

    public init() {}

    /// Pending requests per request.
    public var pendingRate: Double { requests == 0 ? 0 : Double(pending) / Double(requests) }
    /// Failed expansions per expansion.
    public var failedExpansionRate: Double { expansions == 0 ? 0 : Double(failedExpansions) / Double(expansions) }
    /// Moved bytes per admitted byte.
    public var movedRate: Double { admittedBytes == 0 ? 0 : Double(movedBytes) / Double(admittedBytes) }
  }

  /// The state of the cluster at a moment.
  public struct Sample: Sendable, Hashable {
    /// Seconds from the start of the history.
    public var time: Double
    /// Requests so far, the warm-up included.
    public var requests: Int
    /// Requests that were Pending so far, the warm-up included.
    public var pending: Int
    public var usedBytes: Int64
    /// Free space that cannot hold a volume of `largeBytes`, as a share of the whole capacity.
    public var stranded: Double
    /// How many volumes of `largeBytes` could still be placed.
    public var slots: Int
    /// How full each node is, from 0 to 1; empty unless the options ask for it.
    public var nodeUse: [Float] = []

    public init(time: Double, requests: Int, pending: Int, usedBytes: Int64, stranded: Double, slots: Int) {
      self.time = time
      self.requests = requests
      self.pending = pending
      self.usedBytes = usedBytes
      self.stranded = stranded
      self.slots = slots
    }
  }

  public struct NodeAtEnd: Sendable, Hashable {
    public var name: String
    /// The sum of the node's pools in bytes.
    public var capacityBytes: Int64
    public var freeBytes: Int64
    public var volumes: Int

    public init(name: String, capacityBytes: Int64, freeBytes: Int64, volumes: Int) {
      self.name = name
      self.capacityBytes = capacityBytes
      self.freeBytes = freeBytes
      self.volumes = volumes
    }
  }

  /// What no policy can beat, whatever it knows and moves, over the same events; `nil` where it was not computed.
  public struct Bounds: Sendable, Hashable {
    /// The least number of such nodes on which nothing need be refused, by volume alone: the peak of the live bytes divided
    /// by a node's capacity.
    public var nodesL1: Int?
    /// The same by Martello and Toth's L2; never below `nodesL1`.
    public var nodesL2: Int?
    /// The least number of refusals, Pending requests and failed expansions together, on the given nodes; see
    /// `RefusalBound`.
    public var refusalsL1: Int?
    public var refusalsL2: Int?
    /// Not a bound but a reference: Pending requests, and failed expansions, if everything is packed anew, for nothing,
    /// whenever something does not fit (best-fit decreasing).
    public var pendingWithFreeMoves: Int?
    public var failedExpansionsWithFreeMoves: Int?

    public init() {}
  }

  /// The mean over the samples after the warm-up; 0 without any.
  public func mean(_ value: (Sample) -> Double) -> Double {
    let counted = samples.filter { $0.requests > warmupRequests }
    return counted.isEmpty ? 0 : counted.reduce(0) { $0 + value($1) } / Double(counted.count)
  }
}
