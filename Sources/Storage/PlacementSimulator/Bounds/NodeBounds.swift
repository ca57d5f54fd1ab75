import Placement

/// The least number of equal nodes that any policy needs to hold a history without a refusal.
///
/// L1: the peak of the live bytes over a node's capacity, rounded up. L2: Martello and Toth's bound on the volumes alive
/// at a moment, the largest over the moments looked at. Both hold for one device class and count each request as one
/// volume, which is right for requests of one volume.
public struct NodeBounds: Sendable, Hashable {
  public private(set) var l1 = 0
  public private(set) var l2 = 0

  /// - Parameter every: L2 is computed whenever the live bytes come within 1 % of their peak so far, but at most once in
  ///   so many events; it costs a sort.
  public init(_ workload: any Workload, seed: UInt64 = 1, capacityBytes: Int64, every: Int = 200) throws {
    var live: [Int: Int64] = [:]
    var (sum, peak) = (Int64(0), Int64(0))
    var sinceLast = Int.max / 2
    var events = try workload.events(seed: seed)
    while let event = try events.next() {
      switch event.change {
      case .arrive(let demand):
        live[event.id] = demand.totalBytes
        sum += demand.totalBytes
      case .delete:
        sum -= live.removeValue(forKey: event.id) ?? 0
      case .grow(let volume, let bytes):
        // Requests of one volume: the new size is the request's.
        guard volume == 0, let old = live[event.id] else { continue }
        live[event.id] = bytes
        sum += bytes - old
      case .nodeLost:
        // Who goes down with it depends on the policy.
        live.removeAll()
        sum = 0
      case .nodeReturned, .drain: continue
      }
      sinceLast += 1
      peak = max(peak, sum)
      l1 = max(l1, Int((sum + capacityBytes - 1) / capacityBytes))
      if sum * 100 >= peak * 99, sinceLast >= every {
        sinceLast = 0
        l2 = max(l2, MartelloToth.bound(Array(live.values), capacity: capacityBytes))
      }
    }
    l2 = max(l1, l2)
  }
}
