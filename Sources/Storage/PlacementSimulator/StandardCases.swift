import Placement

/// The cases by which placement policies are compared; see `docs/placement.md`.
public enum StandardCases {
  private static let gibibyte: Int64 = 1 << 30
  private static let sizes: [Int64] = [1, 2, 5, 8, 10, 20, 30, 50, 100, 200, 500, 1000]
  /// Many small volumes and, 1.5 % of the requests, a large one: the question asked when KEP-4049 was presented.
  private static let kubeConWeights = [0.25, 0.15, 0.25, 0.10, 0.145, 0.05, 0.02, 0.01, 0.005, 0.005, 0, 0.015]
  private static let mixedWeights = [0.10, 0.08, 0.14, 0.10, 0.20, 0.12, 0.06, 0.08, 0.06, 0.03, 0.02, 0.01]
  private static let day = 86_400.0

  /// 20 nodes of 2,000 GiB; no volume grows.
  public static let kubeConCluster = SimulatedCluster(nodeCount: 20, poolBytes: 2000 * gibibyte)
  /// 20 nodes of 4,000 GiB.
  public static let growthCluster = SimulatedCluster(nodeCount: 20, poolBytes: 4000 * gibibyte)

  /// Small volumes and a few large ones, at a load in `0...1` of the cluster's capacity.
  public static func kubeCon(load: Double, requests: Int = 200_000) -> WorkloadDescription {
    workload(kubeConWeights, growth: nil, load: load, cluster: kubeConCluster, requests: requests)
  }

  /// All sizes mixed; 30 % of the volumes double once.
  public static func growth(load: Double, requests: Int = 200_000) -> WorkloadDescription {
    workload(
      mixedWeights, growth: .init(probability: 0.3, factor: 2), load: load, cluster: growthCluster, requests: requests)
  }

  /// All sizes mixed; nothing grows.
  public static func mixed(load: Double, cluster: SimulatedCluster, requests: Int = 200_000) -> WorkloadDescription {
    workload(mixedWeights, growth: nil, load: load, cluster: cluster, requests: requests)
  }

  /// Half of the lives are short and half long: 0.1 and 1.9 times the mean, exponentially distributed.
  private static func workload(
    _ weights: [Double], growth: WorkloadDescription.Growth?, load: Double, cluster: SimulatedCluster, requests: Int
  ) -> WorkloadDescription {
    var workload = WorkloadDescription(
      kinds: zip(sizes, weights).filter { $0.1 > 0 }.map { size, weight in
        .init(weight: weight, demand: PlacementDemand(bytes: size * gibibyte))
      },
      lifetimes: [.init(weight: 1, meanSeconds: 0.1 * day), .init(weight: 1, meanSeconds: 1.9 * day)],
      growth: growth, arrivalRate: 1, requests: requests)
    workload.setLoad(load, capacityBytes: cluster.capacityBytes)
    return workload
  }
}
