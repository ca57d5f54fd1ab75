import Placement
import PlacementSimulator

/// The cases by which policies are compared, by their names on the command line.
public enum StandardStudy: String, Sendable, CaseIterable {
  case kubecon, growth, mixed

  public var title: String {
    switch self {
    case .kubecon: "KubeCon case: small volumes and a few of 1,000 GiB"
    case .growth: "Growth case: 30 % of the volumes double once"
    case .mixed: "Mixed case: all sizes, nothing grows"
    }
  }

  /// The policies that stand side by side in reports, the default first.
  public static let policies: [StandardPolicy] = [
    .standard, .mostFree, .kep4049, .topoLVM, .bestFit, .bestFitHeadroom, .fragmentationGradient, .expectedLoss,
    .random,
  ]

  /// - Parameters:
  ///   - load: as a share of the capacity.
  ///   - cluster: another one than the case's.
  public func study(load: Double = 0.8, requests: Int, cluster: SimulatedCluster? = nil) -> Study {
    let cluster = cluster ?? (self == .kubecon ? StandardCases.kubeConCluster : StandardCases.growthCluster)
    var workload =
      switch self {
      case .kubecon: StandardCases.kubeCon(load: load, requests: requests)
      case .growth: StandardCases.growth(load: load, requests: requests)
      case .mixed: StandardCases.mixed(load: load, cluster: cluster, requests: requests)
      }
    workload.setLoad(load, capacityBytes: cluster.capacityBytes)
    return Study(
      name: rawValue, title: title, scenario: .described(workload, cluster, load: load),
      policies: Self.policies, seeds: [1])
  }
}
