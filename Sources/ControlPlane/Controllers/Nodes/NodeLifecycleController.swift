import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging
import ServiceLifecycle

/// Notices nodes that no longer report, and says so on the node and on its pods.
///
/// A node reports by its Lease in `kube-node-lease` or by its Ready condition. What counts is when this process last saw
/// either change, so that the clocks of machines need not agree.
public struct NodeLifecycleController: Service {
  public static let leaseNamespace = "kube-node-lease"
  public static let unreachableTaint = "node.kubernetes.io/unreachable"
  public static let notReadyTaint = "node.kubernetes.io/not-ready"

  private let controller: Controller<ObjectKey>

  /// - Parameter gracePeriod: silence after which a node is taken for lost.
  public init(
    _ client: KubernetesClient, informers: SharedInformers, gracePeriod: Duration = .seconds(40), logger: Logger
  ) {
    let heartbeats = Heartbeats()
    controller = Controller(
      name: "node-lifecycle", workers: 1, of: informers.nodes,
      waitingFor: [informers.nodeLeases, informers.pods], logger: logger
    ) { key in
      guard let node = informers.nodes.cache.get(key) else {
        heartbeats.forget(key.name)
        return .done
      }
      let lease = informers.nodeLeases.cache.get(namespace: Self.leaseNamespace, name: key.name)
      let silence = heartbeats.silence(of: node, lease: lease)
      let isLost = silence >= gracePeriod
      let changed = Self.judged(node, isLost: isLost, now: .now)
      if changed.status != node.status { try await client.updateStatus(changed, as: .nodes) }
      if changed.spec["taints"] != node.spec["taints"] {
        let taints = changed.spec["taints"].elements.isEmpty ? JSONValue.null : changed.spec["taints"]
        try await client.patch(.nodes, name: node.name, ["spec": ["taints": taints]])
      }
      if isLost {
        for pod in informers.pods.cache.list(by: .nodeName, node.name) where pod.isReadyPod {
          var changed = pod
          changed.setCondition(
            Condition("Ready", .no, reason: "NodeNotReady", message: "the node \(node.name) no longer reports"))
          do { try await client.updateStatus(changed, as: .pods) } catch let status as APIStatus
            where status.isNotFound || status.isConflict
          { continue }
        }
        return .done
      }
      return .requeueAfter(gracePeriod - silence + .milliseconds(100))
    }
    // While the API was away nobody could be heard: nodes get their time anew.
    client.transport.reachability?.onReturn {
      heartbeats.excuse()
      return true
    }
    let queue = controller.queue
    informers.nodeLeases.onEvent { event in
      // A renewal matters only if the node was given up; the time to look again is set already.
      guard let node = informers.nodes.cache.get(name: event.object.name) else { return }
      heartbeats.note(node, lease: event.object)
      if node.condition("Ready")?["status"].string == "Unknown" { queue.add(node.key) }
    }
  }

  public func run() async throws { try await controller.run() }

  /// The node with the conditions and taints that fit what is known.
  static func judged(_ node: KubernetesObject, isLost: Bool, now: Timestamp) -> KubernetesObject {
    var changed = node
    if isLost {
      for type in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        guard type == "Ready" || node.condition(type) != nil else { continue }
        changed.setCondition(
          Condition(type, .unknown, reason: "NodeStatusUnknown", message: "The node stopped posting its status."),
          now: now)
      }
    }
    let ready = changed.condition("Ready")?["status"].string
    let wanted: String? =
      switch ready {
      case "True": nil
      case "Unknown": unreachableTaint
      default: notReadyTaint
      }
    let taints = node.spec["taints"].elements
    var kept = taints.filter { taint in
      let key = taint["key"].string
      return key == wanted || (key != unreachableTaint && key != notReadyTaint)
    }
    if let wanted, !kept.contains(where: { $0["key"].string == wanted }) {
      for effect in ["NoSchedule", "NoExecute"] {
        kept.append([
          "key": .string(wanted), "effect": .string(effect), "timeAdded": .string(now.description),
        ])
      }
    }
    if kept != taints { changed.spec["taints"] = .array(kept) }
    return changed
  }
}

/// When each node was last heard of, by this process' own clock.
final class Heartbeats: Sendable {
  private struct Last {
    var lease: String
    var status: String
    var seen: ContinuousClock.Instant
  }

  private let last = Mutex<[String: Last]>([:])

  /// Looks at a node and its lease, and remembers the time if either has changed.
  func note(_ node: KubernetesObject, lease: KubernetesObject?) {
    let renewed = lease?.spec["renewTime"].string ?? ""
    let ready = node.condition("Ready")
    let state = ready?["status"].string ?? ""
    let status = "\(state) \(ready?["lastHeartbeatTime"].string ?? "")"
    last.withLock { last in
      if let known = last[node.name], known.lease == renewed {
        if known.status == status { return }
        // Only this controller writes Unknown: that is no sign of life, but the change back is.
        if state == "Unknown" {
          last[node.name]?.status = status
          return
        }
      }
      last[node.name] = Last(lease: renewed, status: status, seen: .now)
    }
  }

  /// How long nothing was heard.
  func silence(of node: KubernetesObject, lease: KubernetesObject?) -> Duration {
    note(node, lease: lease)
    return last.withLock { $0[node.name]?.seen.duration(to: .now) ?? .zero }
  }

  /// What was not heard until now does not count.
  func excuse() {
    last.withLock { last in for name in last.keys { last[name]?.seen = .now } }
  }

  func forget(_ node: String) { last.withLock { _ = $0.removeValue(forKey: node) } }
}
