import Placement

/// The cluster that a workload runs against: named device classes and nodes with pools.
public struct SimulatedCluster: Sendable, Hashable {
  /// Names of the device classes; demands and pools use their positions.
  public var deviceClasses: [String]
  public var nodes: [NodeDescription]

  public init(deviceClasses: [String] = ["default"], nodes: [NodeDescription]) {
    self.deviceClasses = deviceClasses
    self.nodes = nodes
  }

  /// Equal nodes with one pool each, named `node-1`, `node-2`, ...
  public init(
    nodeCount: Int, poolBytes: Int64, milliCPU: Int64 = .max, memoryBytes: Int64 = .max
  ) {
    self.init(
      nodes: (0..<nodeCount).map { index in
        NodeDescription(
          name: "node-\(index + 1)", pools: [PoolDescription(capacityBytes: poolBytes)], milliCPU: milliCPU,
          memoryBytes: memoryBytes)
      })
  }

  /// The sum of all pools in bytes.
  public var capacityBytes: Int64 {
    nodes.reduce(0) { sum, node in sum + node.pools.reduce(0) { $0 + $1.capacityBytes } }
  }
}
