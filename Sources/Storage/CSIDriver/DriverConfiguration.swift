import KubernetesAPI
import VolumePools

/// Who the driver is and which pools it serves.
public struct DriverConfiguration: Sendable {
  /// As Kubernetes knows it: `local.nagaya.dev`.
  public var name: String
  public var version: String
  /// The node's name; also its CSI node ID.
  public var nodeName: String
  /// The label that tells nodes apart: `topology.local.nagaya.dev/node`.
  public var topologyKey: String
  /// The parameter of storage classes that names the pool: `local.nagaya.dev/pool`.
  public var poolParameter: String
  /// The pool of classes that name none.
  public var defaultPool: String
  /// By name.
  public var pools: [String: any VolumeBackend]
  /// In the order in which volumes are looked for: one in files does not wait for LVM.
  private let order: [String]

  public init(nodeName: String, pools: [any VolumeBackend], version: String = "0.1.0", defaultPool: String = "default")
  {
    name = VolumeParameters.driver
    self.version = version
    self.nodeName = nodeName
    topologyKey = "topology.local.nagaya.dev/node"
    poolParameter = VolumeParameters.pool
    self.defaultPool = defaultPool
    order = pools.map(\.poolName)
    self.pools = Dictionary(pools.map { ($0.poolName, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The pool that holds the volume, and what it says about it.
  func find(_ volume: String) async -> (pool: any VolumeBackend, volume: Volume)? {
    for name in order {
      if let pool = pools[name], let found = await pool.volume(volume) { return (pool, found) }
    }
    return nil
  }

  /// The pool that holds the snapshot, and what it says about it.
  func findSnapshot(_ snapshot: String) async -> (pool: any VolumeBackend, snapshot: VolumeSnapshot)? {
    for name in order {
      if let pool = pools[name], let found = await pool.snapshot(snapshot) { return (pool, found) }
    }
    return nil
  }
}
