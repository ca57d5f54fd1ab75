import Placement

/// Finds how full a cluster may be before requests or expansions fail too often.
public struct SpareSearch: Sendable {
  /// The share of requests that may be Pending.
  public var pendingLimit: Double
  /// The share of expansions that may fail.
  public var failedExpansionLimit: Double
  /// The loads searched, and how often the interval is halved.
  public var loads: ClosedRange<Double>
  public var bisections: Int

  public init(
    pendingLimit: Double = 0.001, failedExpansionLimit: Double = 0.01, loads: ClosedRange<Double> = 0.2...1,
    bisections: Int = 8
  ) {
    self.pendingLimit = pendingLimit
    self.failedExpansionLimit = failedExpansionLimit
    self.loads = loads
    self.bisections = bisections
  }

  /// What the search found: the highest load that passed, and the run at that load.
  public struct Answer: Sendable {
    public var load: Double
    public var result: SimulationResult?
    /// The capacity that must be kept spare, as a share.
    public var spare: Double { 1 - load }
  }

  /// Whether a run kept to the limits.
  public func passes(_ result: SimulationResult) -> Bool {
    let counts = result.counts
    return (counts.pending == 0 || counts.pendingRate < pendingLimit)
      && (counts.failedExpansions == 0 || counts.failedExpansionRate < failedExpansionLimit)
  }

  /// The highest load at which runs keep to the limits; see `highest(guess:passes:)`.
  /// - Parameter run: runs the case at a load; it may stop early once the limits are broken.
  public func highestLoad(guess: Double? = nil, run: (Double) throws -> SimulationResult) rethrows -> Answer {
    var passed: SimulationResult?
    let load = try highest(guess: guess) { load in
      let result = try run(load)
      guard passes(result) else { return false }
      passed = result
      return true
    }
    return Answer(load: load, result: passed)
  }

  /// Walks the grid that plain bisection of `loads` would walk, but starts at a guess: neighbours (another seed, another
  /// policy) have nearly the same answer, and few runs are needed then. The outcome is the same wherever it starts,
  /// as long as a lower load is never worse.
  /// - Returns: the highest load that passed, the lower end of `loads` where none did.
  public func highest(guess: Double? = nil, passes: (Double) throws -> Bool) rethrows -> Double {
    let steps = 1 << bisections
    func load(_ step: Int) -> Double {
      loads.lowerBound + (loads.upperBound - loads.lowerBound) * Double(step) / Double(steps)
    }
    var (good, bad) = (0, steps)
    var stride = 4
    var next =
      guess.map { Int((($0 - loads.lowerBound) / (loads.upperBound - loads.lowerBound) * Double(steps)).rounded()) }
      ?? steps / 2
    var (sawGood, sawBad) = (false, false)
    while bad - good > 1 {
      next = min(max(next, good + 1), bad - 1)
      if try passes(load(next)) {
        (good, sawGood) = (next, true)
      } else {
        (bad, sawBad) = (next, true)
      }
      if guess == nil || (sawGood && sawBad) {
        next = (good + bad) / 2
      } else {
        next = sawGood ? good + stride : bad - stride
        stride *= 2
      }
    }
    return load(good)
  }
}
