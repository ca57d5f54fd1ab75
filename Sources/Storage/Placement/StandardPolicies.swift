/// The policies that come with the product, by the names used on the command line, in tables and in figures.
public enum StandardPolicy: String, Sendable, CaseIterable {
  /// What the product uses: the winner of `make bench-placement`.
  case standard = "default"
  case mostFree = "most-free"
  case bestFit = "best-fit"
  case random = "random"

  /// A fresh policy that has learned nothing yet.
  /// - Parameter seed: where the policy draws lots.
  public func make(seed: UInt64 = 1) -> any PlacementPolicy {
    switch self {
    case .standard: BestFitPolicy(name: rawValue)
    case .mostFree: MostFreePolicy()
    case .bestFit: BestFitPolicy()
    case .random: RandomPolicy(seed: seed)
    }
  }
}
