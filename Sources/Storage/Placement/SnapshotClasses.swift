/// The indices that the engine gives the storage classes of snapshots, by name; a new name gets the next one.
struct SnapshotClasses: Sendable {
  private var indices: [String: Int] = [:]

  var count: Int { indices.count }

  mutating func index(of name: String) -> Int {
    if let known = indices[name] { return known }
    let index = indices.count
    indices[name] = index
    return index
  }

  /// A demand in the engine's terms, in the order of the classes' names.
  mutating func demand(_ demand: [String: [Int64]]) -> PlacementDemand {
    var volumes: [VolumeRequest] = []
    for (name, sizes) in demand.sorted(by: { $0.key < $1.key }) {
      let deviceClass = index(of: name)
      volumes += sizes.map { VolumeRequest(deviceClass: deviceClass, bytes: $0) }
    }
    return PlacementDemand(volumes: volumes)
  }

  /// The nodes of a snapshot as the engine sees them, in the same order: what is free now is all that they have.
  mutating func state(of nodes: [NodePools]) -> PlacementState {
    let described = nodes.map { node in
      NodeDescription(
        name: node.node,
        pools: node.pools.sorted { $0.key < $1.key }.map { name, pool in
          PoolDescription(
            deviceClasses: [index(of: name)], capacityBytes: max(0, pool.freeBytes),
            largestVolumeBytes: pool.largestVolumeBytes)
        })
    }
    return PlacementState(nodes: described, classCount: count)
  }
}
