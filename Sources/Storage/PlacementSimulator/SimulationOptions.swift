/// How a simulation is run and what is counted.
public struct SimulationOptions: Sendable, Hashable {
  /// What is done when a request or an expansion fits nowhere.
  public enum Repair: Sendable, Hashable {
    case none
    /// At most this many moves for one failure.
    case moves(atMost: Int)
    /// Everything may move for nothing, and nobody counts it: what is reachable with free moves.
    case repack
  }

  /// Seeds the workload; and, apart from it, policies that draw lots.
  public var seed: UInt64
  /// The first so many requests are not counted, while the cluster fills.
  public var warmupRequests: Int
  /// The run ends after so many requests (those of the warm-up included).
  public var maximumRequests: Int
  public var repair: Repair
  /// The request size above which a request counts as large, in bytes: the 99th percentile of the workload, where `nil`.
  public var largeBytes: Int64?
  /// The run ends early when more than so many requests were Pending, or expansions failed: all that a search needs.
  public var stopAfterPending = Int.max
  public var stopAfterFailedExpansions = Int.max
  /// How many samples the time series has at most; they are evenly spread over the requests.
  public var samples: Int
  /// Whether the samples hold how full each node is: a number for every node and sample.
  public var recordsNodes = false

  public init(
    seed: UInt64 = 1, warmupRequests: Int = 0, maximumRequests: Int = .max, repair: Repair = .none,
    largeBytes: Int64? = nil, samples: Int = 200
  ) {
    self.seed = seed
    self.warmupRequests = warmupRequests
    self.maximumRequests = maximumRequests
    self.repair = repair
    self.largeBytes = largeBytes
    self.samples = samples
  }
}
