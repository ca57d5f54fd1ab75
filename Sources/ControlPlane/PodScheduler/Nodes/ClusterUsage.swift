import KubernetesAPI
import Locking

/// The nodes, and what pods take of them; pods that are being bound count already.
///
/// What a node's pods take together is kept as a sum, so that a decision costs the same whether few pods run or many.
final class ClusterUsage: Sendable {
  /// What the pods of a node take together.
  struct Usage: Sendable, Hashable {
    var amounts: [String: Int128] = [:]
    var pods = 0
    /// Pods per host port, such as `TCP/80`.
    private(set) var hostPorts: [String: Int] = [:]
    /// Pods per owner.
    var owners: [String: Int] = [:]

    func hasAny(of ports: Set<String>) -> Bool { ports.contains { hostPorts[$0] != nil } }

    mutating func add(_ requests: PodRequests) { change(requests, by: 1) }
    mutating func remove(_ requests: PodRequests) { change(requests, by: -1) }

    private mutating func change(_ requests: PodRequests, by sign: Int) {
      pods += sign
      for (resource, amount) in requests.amounts { Self.change(&amounts, resource, by: amount * Int128(sign)) }
      for port in requests.hostPorts { Self.change(&hostPorts, port, by: sign) }
      if !requests.owner.isEmpty { Self.change(&owners, requests.owner, by: sign) }
    }

    /// What comes to nothing is not kept.
    private static func change<Number: BinaryInteger>(_ sums: inout [String: Number], _ key: String, by number: Number)
    {
      let sum = (sums[key] ?? 0) + number
      sums[key] = sum == 0 ? nil : sum
    }
  }

  private struct Placed: Equatable {
    var node: String
    var requests: PodRequests
  }

  private struct State {
    var nodes: [String: NodeState] = [:]
    /// Names of `nodes`, sorted.
    var order: [String] = []
    /// By the pods' uids.
    var pods: [String: Placed] = [:]
    /// By node, of nodes that are not known (yet), too.
    var sums: [String: Usage] = [:]
  }

  private let state = Mutex(State())

  /// - Returns: whether anything changed that matters for scheduling.
  func set(_ node: NodeState) -> Bool {
    state.withLock { state in
      guard let before = state.nodes.updateValue(node, forKey: node.name) else {
        state.order = state.nodes.keys.sorted()
        return true
      }
      return before != node
    }
  }

  func removeNode(_ name: String) {
    state.withLock { state in
      guard state.nodes.removeValue(forKey: name) != nil else { return }
      state.order.removeAll { $0 == name }
    }
  }

  func place(uid: String, on node: String, _ requests: PodRequests) {
    state.withLock { state in
      let placed = Placed(node: node, requests: requests)
      guard state.pods[uid] != placed else { return }
      Self.remove(uid, from: &state)
      state.pods[uid] = placed
      state.sums[node, default: Usage()].add(requests)
    }
  }

  /// - Returns: whether the pod was counted.
  @discardableResult
  func remove(uid: String) -> Bool { state.withLock { Self.remove(uid, from: &$0) } }

  @discardableResult
  private static func remove(_ uid: String, from state: inout State) -> Bool {
    guard let before = state.pods.removeValue(forKey: uid) else { return false }
    state.sums[before.node]?.remove(before.requests)
    if state.sums[before.node]?.pods == 0 { state.sums[before.node] = nil }
    return true
  }

  func node(ofPod uid: String) -> String? { state.withLock { $0.pods[uid]?.node } }

  /// All nodes in the order of their names, with their use by others than this pod.
  func snapshot(except uid: String) -> [(node: NodeState, usage: Usage)] {
    state.withLock { state in
      let own = state.pods[uid]
      return state.order.compactMap { name in
        guard let node = state.nodes[name] else { return nil }
        var usage = state.sums[name] ?? Usage()
        if let own, own.node == name { usage.remove(own.requests) }
        return (node, usage)
      }
    }
  }

  var nodes: [NodeState] { state.withLock { Array($0.nodes.values) } }
  func labels(ofNode name: String) -> [String: String]? { state.withLock { $0.nodes[name]?.labels } }
}
