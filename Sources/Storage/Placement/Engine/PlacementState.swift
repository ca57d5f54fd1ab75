/// What every node has left, kept up to date change by change.
///
/// A struct of arrays: a decision over thousands of nodes walks a few dense arrays. Nodes, pools and device classes
/// are indices. A pool's volumes are summed up by octaves of size and by how often they have grown, so that whatever is
/// learned about growth later applies to all of them without a visit to each.
public struct PlacementState: Sendable, Hashable {
  /// Volumes are told apart by having grown never, once, or at least twice.
  public static let growthSteps = 3
  /// Octaves of size that a pool's volumes are summed up by.
  static let sizeBins = 16

  /// Names of the nodes, by node.
  public private(set) var names: [String] = []
  /// How many device classes there are; classes are `0..<classCount`.
  public let classCount: Int

  // By node.
  var available: [Bool] = []
  var freeCPU: [Int64] = []
  var freeMemory: [Int64] = []
  var capacityCPU: [Int64] = []
  var capacityMemory: [Int64] = []
  /// The pools of a node are `firstPool[node]..<firstPool[node + 1]`.
  var firstPool: [Int32] = [0]
  /// By `node * classCount + class`: the pool, or -1.
  var poolOfClass: [Int32] = []

  // By pool.
  var poolNode: [Int32] = []
  var capacity: [Int64] = []
  var free: [Int64] = []
  var largest: [Int64] = []
  var volumes: [Int32] = []
  /// By `(pool * growthSteps + step) * sizeBins + bin`: how many volumes, and the sum of their bytes.
  var binCount: [Int32] = []
  var binBytes: [Int64] = []

  /// Every node empty.
  /// - Parameter classCount: how many device classes there are; where not given, as many as the pools name.
  public init(nodes: [NodeDescription], classCount: Int? = nil) {
    let named = nodes.flatMap(\.pools).flatMap(\.deviceClasses).max().map { $0 + 1 } ?? 1
    self.classCount = max(classCount ?? named, named)
    for node in nodes { add(node) }
  }

  public var nodeCount: Int { names.count }
  public var poolCount: Int { poolNode.count }

  /// Adds an empty node and returns its index.
  @discardableResult
  public mutating func add(_ node: NodeDescription) -> Int {
    let index = names.count
    names.append(node.name)
    available.append(true)
    freeCPU.append(node.milliCPU)
    freeMemory.append(node.memoryBytes)
    capacityCPU.append(node.milliCPU)
    capacityMemory.append(node.memoryBytes)
    poolOfClass.append(contentsOf: repeatElement(-1, count: classCount))
    for pool in node.pools {
      for deviceClass in pool.deviceClasses {
        poolOfClass[index * classCount + deviceClass] = Int32(poolNode.count)
      }
      poolNode.append(Int32(index))
      capacity.append(pool.capacityBytes)
      free.append(pool.capacityBytes)
      largest.append(pool.largestVolumeBytes)
      volumes.append(0)
      binCount.append(contentsOf: repeatElement(0, count: Self.growthSteps * Self.sizeBins))
      binBytes.append(contentsOf: repeatElement(0, count: Self.growthSteps * Self.sizeBins))
    }
    firstPool.append(Int32(poolNode.count))
    return index
  }

  // MARK: Reading

  /// The pools of a node.
  public func pools(of node: Int) -> Range<Int> { Int(firstPool[node])..<Int(firstPool[node + 1]) }

  /// The pool that a device class draws from on a node; `nil` where the node has none.
  public func pool(of node: Int, deviceClass: Int) -> Int? {
    guard deviceClass >= 0, deviceClass < classCount else { return nil }
    let pool = poolOfClass[node * classCount + deviceClass]
    return pool < 0 ? nil : Int(pool)
  }

  /// What a pool has left in bytes; reservations are already taken off.
  public func freeBytes(ofPool pool: Int) -> Int64 { free[pool] }
  /// What a pool had when it was empty, in bytes.
  public func capacityBytes(ofPool pool: Int) -> Int64 { capacity[pool] }
  /// How many volumes a pool holds.
  public func volumeCount(ofPool pool: Int) -> Int { Int(volumes[pool]) }
  public func freeMilliCPU(of node: Int) -> Int64 { freeCPU[node] }
  public func freeMemoryBytes(of node: Int) -> Int64 { freeMemory[node] }
  /// Whether new demands may go there.
  public func isAvailable(_ node: Int) -> Bool { available[node] }

  /// Whether the whole demand fits on a node: processor, memory, every volume below its pool's largest, and the sum of
  /// the volumes of each pool within what that pool has left, whichever classes they come by.
  public func fits(_ demand: PlacementDemand, on node: Int) -> Bool {
    guard available[node], freeCPU[node] >= demand.milliCPU, freeMemory[node] >= demand.memoryBytes else {
      return false
    }
    return storageFits(demand, on: node)
  }

  @inline(__always)
  func storageFits(_ demand: PlacementDemand, on node: Int) -> Bool {
    if demand.count == 1 {
      let volume = demand[0]
      guard let pool = pool(of: node, deviceClass: volume.deviceClass) else { return false }
      return free[pool] >= volume.bytes && largest[pool] >= volume.bytes
    }
    return severalFit(demand, on: node)
  }

  private func severalFit(_ demand: PlacementDemand, on node: Int) -> Bool {
    for index in 0..<demand.count {
      let volume = demand[index]
      guard let pool = pool(of: node, deviceClass: volume.deviceClass), largest[pool] >= volume.bytes else {
        return false
      }
      if free[pool] < bytes(of: demand, inPool: pool, on: node) { return false }
    }
    return true
  }

  /// How much of a demand one pool would have to hold, in bytes.
  public func bytes(of demand: PlacementDemand, inPool pool: Int, on node: Int) -> Int64 {
    var sum: Int64 = 0
    for index in 0..<demand.count where self.pool(of: node, deviceClass: demand[index].deviceClass) == pool {
      let (next, overflow) = sum.addingReportingOverflow(demand[index].bytes)
      if overflow { return .max }
      sum = next
    }
    return sum
  }

  // MARK: Changing

  /// Takes a demand's room on a node. `steps` says how often its volumes have grown so far.
  /// - Precondition: it fits there, or `evenIfUnavailable` and its room is there.
  public mutating func take(_ demand: PlacementDemand, on node: Int, steps: Int = 0) {
    for index in 0..<demand.count {
      let volume = demand[index]
      guard let pool = pool(of: node, deviceClass: volume.deviceClass) else {
        preconditionFailure("node \(names[node]) has no pool for device class \(volume.deviceClass)")
      }
      precondition(free[pool] >= volume.bytes, "pool \(pool) of node \(names[node]) has too little room")
      free[pool] -= volume.bytes
      count(volume.bytes, by: 1, steps: steps, inPool: pool)
    }
    freeCPU[node] -= demand.milliCPU
    freeMemory[node] -= demand.memoryBytes
  }

  /// Gives a demand's room back; the exact inverse of `take`.
  public mutating func give(_ demand: PlacementDemand, on node: Int, steps: Int = 0) {
    for index in 0..<demand.count {
      let volume = demand[index]
      guard let pool = pool(of: node, deviceClass: volume.deviceClass) else { continue }
      free[pool] += volume.bytes
      count(volume.bytes, by: -1, steps: steps, inPool: pool)
    }
    freeCPU[node] += demand.milliCPU
    freeMemory[node] += demand.memoryBytes
  }

  /// Whether new demands may go to a node: false while it is drained or lost.
  public mutating func setAvailable(_ isAvailable: Bool, node: Int) { available[node] = isAvailable }

  private mutating func count(_ bytes: Int64, by sign: Int32, steps: Int, inPool pool: Int) {
    volumes[pool] += sign
    let entry = (pool * Self.growthSteps + min(steps, Self.growthSteps - 1)) * Self.sizeBins + Self.bin(of: bytes)
    binCount[entry] += sign
    binBytes[entry] += Int64(sign) * bytes
  }

  /// The octave of a size: everything below 2 GiB is bin 0, 2...4 GiB is bin 1, and so on.
  @inline(__always)
  static func bin(of bytes: Int64) -> Int {
    let octave = 63 - max(1, bytes).leadingZeroBitCount
    return min(max(0, octave - 30), sizeBins - 1)
  }
}
