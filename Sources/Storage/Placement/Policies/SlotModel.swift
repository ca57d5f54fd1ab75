#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// For one device class: which sizes are asked for, how many slots of each are left, and what a slot is worth now.
///
/// A node's slots of size k are a_nk = ⌊r⌋ + ψ(r - ⌊r⌋), r = min(free/s_k, cpu/ĉ_k, memory/m̂_k): the volumes of the size
/// that it could take with the processor and memory that come with them on average, and a credit for the slot that is
/// not whole yet. S_k sums them over the nodes. The sums are kept change by change.
struct SlotModel: Sendable {
  private(set) var count = 0
  private var perByte: [Double] = []
  private var perCPU: [Double] = []
  private var perMemory: [Double] = []
  /// M_k·s_k: what would be refused in a lifetime without any slot, in bytes.
  private var weight: [Double] = []
  private var tau: [Double] = []
  private var slots: [Double] = []
  private var price: [Double] = []
  /// By `node * count + k`.
  private var slotsOfNode: [Double] = []
  /// The sizes whose price matters for the demand at hand.
  private var active: [Int] = []
  private var computes = false
  private var softness = 0.0

  init() {}

  /// - Parameter live: how many volumes live in the cluster; by Little's law, the arrivals in a mean lifetime.
  init(_ sizes: [SizeHistogram.SizeShare], live: Double, nodeCount: Int, settings: ExpectedLossSettings) {
    count = sizes.count
    softness = settings.softness
    for size in sizes {
      let expected = max(1, live) * size.share
      perByte.append(1 / Double(size.bytes))
      perCPU.append(size.milliCPU > 0 ? 1 / size.milliCPU : 0)
      perMemory.append(size.memoryBytes > 0 ? 1 / size.memoryBytes : 0)
      weight.append(expected * Double(size.bytes))
      tau.append(settings.beta * (1 + expected.squareRoot()))
    }
    computes = perCPU.contains { $0 > 0 } || perMemory.contains { $0 > 0 }
    slots = Array(repeating: 0, count: count)
    price = slots
    slotsOfNode = Array(repeating: 0, count: count * nodeCount)
  }

  /// Counts a node anew; `free` is `nil` where it takes nothing.
  mutating func update(node: Int, free: Double?, in state: PlacementState) {
    let base = node * count
    guard base + count <= slotsOfNode.count else { return }
    for k in 0..<count {
      let new = free.map { slots(k, free: $0, milliCPU: 0, memory: 0, node, state) } ?? 0
      let old = slotsOfNode[base + k]
      guard new != old else { continue }
      slotsOfNode[base + k] = new
      slots[k] += new - old
    }
  }

  /// Sets the prices for a demand of so many bytes: the derivative of M_k·s_k·exp(-S_k/τ_k) by the slots.
  mutating func setPrices(bytes: Double) {
    active.removeAll(keepingCapacity: true)
    var most = 0.0
    for k in 0..<count {
      price[k] = weight[k] / tau[k] * exp(-slots[k] / tau[k])
      most = max(most, price[k] * (1 + bytes * perByte[k]))
    }
    for k in 0..<count where price[k] * (1 + bytes * perByte[k]) > 1e-5 * most { active.append(k) }
  }

  /// What the loss rises by when a node has so little left: exact to the second order in the slots lost, in bytes.
  @inline(__always)
  func loss(node: Int, free: Double, milliCPU: Double, memory: Double, in state: PlacementState) -> Double {
    var sum = 0.0
    let base = node * count
    for k in active {
      let lost = slotsOfNode[base + k] - slots(k, free: free, milliCPU: milliCPU, memory: memory, node, state)
      sum += price[k] * lost * (1 + lost / (2 * tau[k]))
    }
    return sum
  }

  @inline(__always)
  private func slots(_ k: Int, free: Double, milliCPU: Double, memory: Double, _ node: Int, _ state: PlacementState)
    -> Double
  {
    var ratio = free * perByte[k]
    if computes {
      if perCPU[k] > 0, state.capacityCPU[node] != .max {
        ratio = min(ratio, (Double(state.freeCPU[node]) - milliCPU) * perCPU[k])
      }
      if perMemory[k] > 0, state.capacityMemory[node] != .max {
        ratio = min(ratio, (Double(state.freeMemory[node]) - memory) * perMemory[k])
      }
    }
    // Below 2^53, however small the size; and a rounding error must not take a whole slot away.
    let whole = Double(Int64(min(max(0, ratio), 1e15) + 1e-9))
    let part = max(0, ratio - whole)
    return whole + softness * part * part
  }
}
