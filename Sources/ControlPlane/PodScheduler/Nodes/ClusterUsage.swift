import KubernetesAPI
import Locking

/// The nodes, and what pods take of them; pods that are being bound count already.
final class ClusterUsage: Sendable {
  /// What the pods of a node take together.
  struct Usage: Sendable, Hashable {
    var amounts: [String: Int128] = [:]
    var pods = 0
    var hostPorts: Set<String> = []
    /// Pods per owner.
    var owners: [String: Int] = [:]
  }

  private struct Placed {
    var node: String
    var requests: PodRequests
  }

  private struct State {
    var nodes: [String: NodeState] = [:]
    /// By the pods' uids.
    var pods: [String: Placed] = [:]
    var byNode: [String: Set<String>] = [:]
  }

  private let state = Mutex(State())

  /// - Returns: whether anything changed that matters for scheduling.
  func set(_ node: NodeState) -> Bool {
    state.withLock { $0.nodes.updateValue(node, forKey: node.name) != node }
  }

  func removeNode(_ name: String) { state.withLock { _ = $0.nodes.removeValue(forKey: name) } }

  func place(uid: String, on node: String, _ requests: PodRequests) {
    state.withLock { state in
      if let before = state.pods[uid] { state.byNode[before.node]?.remove(uid) }
      state.pods[uid] = Placed(node: node, requests: requests)
      state.byNode[node, default: []].insert(uid)
    }
  }

  /// - Returns: whether the pod was counted.
  @discardableResult
  func remove(uid: String) -> Bool {
    state.withLock { state in
      guard let before = state.pods.removeValue(forKey: uid) else { return false }
      state.byNode[before.node]?.remove(uid)
      return true
    }
  }

  func node(ofPod uid: String) -> String? { state.withLock { $0.pods[uid]?.node } }

  /// All nodes in the order of their names, with their use by others than this pod.
  func snapshot(except uid: String) -> [(node: NodeState, usage: Usage)] {
    state.withLock { state in
      state.nodes.values.sorted { $0.name < $1.name }.map { node in
        var usage = Usage()
        for pod in state.byNode[node.name] ?? [] where pod != uid {
          guard let requests = state.pods[pod]?.requests else { continue }
          usage.pods += 1
          usage.amounts.merge(requests.amounts, uniquingKeysWith: +)
          usage.hostPorts.formUnion(requests.hostPorts)
          if !requests.owner.isEmpty { usage.owners[requests.owner, default: 0] += 1 }
        }
        return (node, usage)
      }
    }
  }

  var nodes: [NodeState] { state.withLock { Array($0.nodes.values) } }
}
