/// Which pod goes when the node runs out of something: first those that have more than they asked for, of them those of the
/// lowest priority, of them the one that is furthest above its request (Kubernetes documentation, "Node-pressure eviction").
struct EvictionRanking: Hashable, Comparable {
  var priority: Int
  var usedBytes: Int64
  var requestedBytes: Int64

  /// What less than this takes would not help.
  static let leastUseful: Int64 = 4 << 20

  private var isOverRequest: Bool { usedBytes > requestedBytes }

  /// The greater one goes first.
  static func < (left: EvictionRanking, right: EvictionRanking) -> Bool {
    if left.isOverRequest != right.isOverRequest { return right.isOverRequest }
    if left.priority != right.priority { return left.priority > right.priority }
    return left.usedBytes - left.requestedBytes < right.usedBytes - right.requestedBytes
  }
}
