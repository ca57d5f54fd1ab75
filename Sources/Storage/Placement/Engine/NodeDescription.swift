/// A pool of storage on one node: a volume group or a directory that volumes are cut from.
public struct PoolDescription: Sendable, Hashable {
  /// The device classes that draw from this pool; several may share one.
  public var deviceClasses: [Int]
  /// What may be promised in all, in bytes; what the pool keeps back for itself is already subtracted.
  public var capacityBytes: Int64
  /// The largest single volume in bytes, where the backend knows a limit of its own.
  public var largestVolumeBytes: Int64

  public init(deviceClasses: [Int] = [0], capacityBytes: Int64, largestVolumeBytes: Int64 = .max) {
    self.deviceClasses = deviceClasses
    self.capacityBytes = capacityBytes
    self.largestVolumeBytes = largestVolumeBytes
  }
}

/// A node as placement sees it, empty.
public struct NodeDescription: Sendable, Hashable {
  public var name: String
  public var pools: [PoolDescription]
  /// Thousandths of a core; `.max` where compute is no constraint.
  public var milliCPU: Int64
  /// Bytes; `.max` where memory is no constraint.
  public var memoryBytes: Int64

  public init(name: String, pools: [PoolDescription], milliCPU: Int64 = .max, memoryBytes: Int64 = .max) {
    self.name = name
    self.pools = pools
    self.milliCPU = milliCPU
    self.memoryBytes = memoryBytes
  }
}
