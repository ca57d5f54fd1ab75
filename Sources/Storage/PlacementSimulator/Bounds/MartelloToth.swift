/// Martello and Toth's lower bound L2 on the number of bins.
///
/// Source: S. Martello, P. Toth, "Lower bounds and reduction procedures for the bin packing problem", Discrete Applied
/// Mathematics 28 (1990). For every threshold ε ≤ C/2: items above C - ε stand alone (J1), those above C/2 never share
/// with each other (J2), and what J2 leaves cannot hold more of the items in ε...C/2 (J3) than its room.
public enum MartelloToth {
  /// - Parameters:
  ///   - items: sizes in bytes, in any order; items of 0 are left out.
  ///   - capacity: of a bin, in bytes. Items above it count as a bin each.
  public static func bound(_ items: [Int64], capacity: Int64) -> Int {
    bound(sorted: items.filter { $0 > 0 }.sorted(by: >)[...], capacity: capacity)
  }

  /// - Parameter sorted: sizes above 0, the largest first.
  static func bound(sorted: ArraySlice<Int64>, capacity: Int64) -> Int {
    guard capacity > 0 else { return sorted.isEmpty ? 0 : .max }
    let start = sorted.startIndex
    var sums: [Int64] = [0]
    sums.reserveCapacity(sorted.count + 1)
    for item in sorted { sums.append(sums[sums.count - 1] + item) }
    /// How many items are above a size.
    func above(_ size: Int64) -> Int {
      var (low, high) = (0, sorted.count)
      while low < high {
        let middle = (low + high) / 2
        if sorted[start + middle] > size { low = middle + 1 } else { high = middle }
      }
      return low
    }
    let large = above(capacity / 2)
    var best = 0
    func consider(_ threshold: Int64) {
      let alone = above(capacity - threshold)
      let through = above(threshold - 1)
      let (single, middle) = (alone, large - alone)
      let small = sums[max(large, through)] - sums[large]
      let room = Int64(middle) * capacity - (sums[large] - sums[alone])
      let more = small > room ? Int((small - room + capacity - 1) / capacity) : 0
      best = max(best, single + middle + more)
    }
    consider(0)
    var last: Int64?
    for threshold in sorted[(start + large)...] where threshold != last {
      last = threshold
      consider(threshold)
    }
    return best
  }
}
