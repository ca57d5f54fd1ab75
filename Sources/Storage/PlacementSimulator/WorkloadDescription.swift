import Placement

/// A workload in words: what is asked for how often, how long it stays, how it grows, and what goes wrong.
///
/// Poisson arrivals (in apps, where requests come in groups), independent lifetimes and growth. All draws come from
/// the seed, so that every policy meets the same history.
public struct WorkloadDescription: Workload, Hashable {
  /// One kind of request.
  public struct Kind: Sendable, Hashable {
    /// How often, relative to the other kinds.
    public var weight: Double
    public var demand: PlacementDemand

    public init(weight: Double, demand: PlacementDemand) {
      self.weight = weight
      self.demand = demand
    }
  }

  /// One of several exponential lifetimes: with `weight`, a mean of `meanSeconds` (a hyperexponential mix).
  public struct Lifetime: Sendable, Hashable {
    public var weight: Double
    public var meanSeconds: Double

    public init(weight: Double, meanSeconds: Double) {
      self.weight = weight
      self.meanSeconds = meanSeconds
    }
  }

  /// Growth of a volume at a uniformly random point of its life.
  public struct Growth: Sendable, Hashable {
    /// The share of requests that grow.
    public var probability: Double
    /// The new size as a multiple of the old one.
    public var factor: Double

    public init(probability: Double, factor: Double = 2) {
      self.probability = probability
      self.factor = factor
    }
  }

  /// A change of a node at a given time.
  public struct NodeChange: Sendable, Hashable {
    public var time: Double
    public var change: SimulationEvent.Change

    public init(time: Double, change: SimulationEvent.Change) {
      self.time = time
      self.change = change
    }
  }

  public var kinds: [Kind]
  public var lifetimes: [Lifetime]
  public var growth: Growth?
  /// Requests per second, on average.
  public var arrivalRate: Double
  /// How many requests arrive in all.
  public var requests: Int
  /// How many requests of one kind arrive together on average (geometrically distributed): the replicas of an app.
  public var requestsPerApp: Double
  /// From time to time the rate is `burstFactor` times as high, for a share `burstShare` of the time.
  public var burstFactor: Double
  public var burstShare: Double
  /// How long a burst lasts on average, in seconds.
  public var burstSeconds: Double
  /// Losses, returns and drains of nodes, in the order of time.
  public var nodeChanges: [NodeChange]

  public init(
    kinds: [Kind], lifetimes: [Lifetime], growth: Growth? = nil, arrivalRate: Double, requests: Int,
    requestsPerApp: Double = 1, burstFactor: Double = 1, burstShare: Double = 0, burstSeconds: Double = 3600,
    nodeChanges: [NodeChange] = []
  ) {
    self.kinds = kinds
    self.lifetimes = lifetimes
    self.growth = growth
    self.arrivalRate = arrivalRate
    self.requests = requests
    self.requestsPerApp = requestsPerApp
    self.burstFactor = burstFactor
    self.burstShare = burstShare
    self.burstSeconds = burstSeconds
    self.nodeChanges = nodeChanges
  }

  /// The mean of the requested bytes of one request.
  public var meanBytes: Double {
    let weights = kinds.reduce(0) { $0 + $1.weight }
    return kinds.reduce(0) { $0 + $1.weight * Double($1.demand.totalBytes) } / weights
  }

  /// The mean lifetime in seconds.
  public var meanSeconds: Double {
    let weights = lifetimes.reduce(0) { $0 + $1.weight }
    return lifetimes.reduce(0) { $0 + $1.weight * $1.meanSeconds } / weights
  }

  /// Sets the arrival rate so that the offered load is this share of a capacity:
  /// rate = load · capacity / (mean size · mean life · (1 + g·(factor − 1)/2)).
  public mutating func setLoad(_ load: Double, capacityBytes: Int64) {
    let grown = growth.map { 1 + $0.probability * ($0.factor - 1) / 2 } ?? 1
    arrivalRate = load * Double(capacityBytes) / (meanBytes * meanSeconds * grown)
  }
}
