import PlacementSimulator

/// Finds the least number of equal nodes on which a history keeps to the limits.
public struct NodeSearch: Sendable {
  public var pendingLimit: Double
  public var failedExpansionLimit: Double
  /// More nodes are not tried.
  public var most: Int

  public init(pendingLimit: Double = 0.001, failedExpansionLimit: Double = 0.01, most: Int = 100_000) {
    self.pendingLimit = pendingLimit
    self.failedExpansionLimit = failedExpansionLimit
    self.most = most
  }

  /// Walks away from the guess in steps that double until the answer is between two counts, then halves the gap.
  /// - Returns: `nil` if `most` nodes are too few.
  public func leastNodes(guess: Int, run: (Int) throws -> SimulationResult) rethrows -> Int? {
    var (tooFew, enough) = (0, Int.max)
    var next = max(1, min(guess, most))
    var stride = max(1, guess / 64)
    while enough - tooFew > 1 {
      let counts = try run(next).counts
      let passes =
        counts.pendingRate <= pendingLimit
        && (counts.expansions == 0 || counts.failedExpansionRate <= failedExpansionLimit)
      if passes { enough = next } else { tooFew = next }
      if enough == .max {
        guard tooFew < most else { return nil }
        next = min(most, tooFew + stride)
        stride *= 2
      } else if tooFew == 0, enough > stride {
        next = enough - stride
        stride *= 2
      } else {
        next = (tooFew + enough) / 2
      }
    }
    return enough
  }
}
