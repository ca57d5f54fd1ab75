import PlacementReports
import PlacementSimulator

/// The cases that are known by name.
enum NamedCase: String, CaseIterable {
  case kubecon, growth, mixed

  private var title: String {
    switch self {
    case .kubecon: "KubeCon case: small volumes and a few of 1,000 GiB"
    case .growth: "Growth case: 30 % of the volumes double once"
    case .mixed: "Mixed case: all sizes, nothing grows"
    }
  }

  /// - Parameter nodes: another cluster than the case's, where one is given.
  func study(load: Double?, requests: Int, nodes: NodeOptions) throws -> Study {
    let standard = self == .kubecon ? StandardCases.kubeConCluster : StandardCases.growthCluster
    let cluster = try nodes.cluster(deviceClasses: ["default"]) ?? standard
    let load = load ?? 0.8
    var workload =
      switch self {
      case .kubecon: StandardCases.kubeCon(load: load, requests: requests)
      case .growth: StandardCases.growth(load: load, requests: requests)
      case .mixed: StandardCases.mixed(load: load, cluster: cluster, requests: requests)
      }
    workload.setLoad(load, capacityBytes: cluster.capacityBytes)
    return Study(
      name: rawValue, title: title, scenario: .described(workload, cluster, load: load), policies: [], seeds: [])
  }
}
