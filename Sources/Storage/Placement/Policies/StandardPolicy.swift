/// The policies that come with the product, by the names used on the command line, in tables and in figures.
public enum StandardPolicy: String, Sendable, CaseIterable {
  /// What the product uses: the winner of `make bench-placement`.
  case standard = "default"
  case mostFree = "most-free"
  case kep4049 = "kep-4049"
  case kep4049LeastFree = "kep-4049-least-free"
  case topoLVM = "topolvm"
  case openEBSVolume = "openebs-volume"
  case openEBSCapacity = "openebs-capacity"
  case openEBSSpace = "openebs-space"
  case bestFit = "best-fit"
  case bestFitHeadroom = "best-fit-headroom"
  case fragmentationGradient = "fgd"
  case expectedLoss = "expected-loss"
  case random = "random"

  /// Whether the choice among equals, or all of it, is by lot: then seeds differ also on one and the same history.
  public var drawsLots: Bool {
    switch self {
    case .random, .topoLVM, .kep4049, .kep4049LeastFree: true
    default: false
    }
  }

  /// A fresh policy that has learned nothing yet.
  /// - Parameters:
  ///   - classCount: how many device classes the cluster has.
  ///   - seed: where the policy draws lots.
  public func make(classCount: Int = 1, seed: UInt64 = 1) -> any PlacementPolicy {
    switch self {
    case .standard: ExpectedLossPolicy(name: rawValue, classCount: classCount)
    case .mostFree: MostFreePolicy()
    case .kep4049: KEP4049Policy(seed: seed)
    case .kep4049LeastFree: KEP4049Policy(shape: KEP4049Policy.leastFree, name: rawValue, seed: seed)
    case .topoLVM: TopoLVMPolicy(seed: seed)
    case .openEBSVolume: OpenEBSPolicy(.volumeWeighted)
    case .openEBSCapacity: OpenEBSPolicy(.capacityWeighted)
    case .openEBSSpace: OpenEBSPolicy(.spaceWeighted)
    case .bestFit: BestFitPolicy()
    case .bestFitHeadroom: BestFitHeadroomPolicy()
    case .fragmentationGradient: FragmentationGradientPolicy(classCount: classCount)
    case .expectedLoss: ExpectedLossPolicy(settings: .published, classCount: classCount)
    case .random: RandomPolicy(seed: seed)
    }
  }
}
