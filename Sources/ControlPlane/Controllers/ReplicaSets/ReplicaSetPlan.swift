import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What a ReplicaSet needs, decided from the set and its pods alone.
struct ReplicaSetPlan: Sendable, Equatable {
  /// Pods to create.
  var creations = 0
  /// Pods to delete, in this order.
  var deletions: [ObjectKey] = []
  /// Creation waits this long, because pods failed lately.
  var backoff: Duration?

  /// At most this many pods are created or deleted in one reconcile.
  static let burst = 500

  init(for set: KubernetesObject, pods: [KubernetesObject], now: Timestamp) {
    guard !set.isBeingDeleted else { return }
    let wanted = set.spec["replicas"].count ?? 1
    let active = pods.filter(\.isActivePod)
    if active.count < wanted {
      if let wait = Self.backoff(after: pods.filter { $0.podPhase == "Failed" }, now: now) {
        backoff = wait
      } else {
        creations = min(wanted - active.count, Self.burst)
      }
    } else if active.count > wanted {
      deletions = Self.victims(active).prefix(min(active.count - wanted, Self.burst)).map(\.key)
    }
  }

  /// Pods that fail as soon as they start (evicted, refused by the node) are not replaced in a tight loop: the wait
  /// after the n-th failure of the last 10 minutes is 0, 5, 10, 20 … 300 s.
  private static func backoff(after failed: [KubernetesObject], now: Timestamp) -> Duration? {
    let recent = failed.compactMap(\.creationTimestamp).filter { $0.adding(seconds: 600) > now }
    guard recent.count > 1, let newest = recent.max() else { return nil }
    // number: a count of pods, moved to ten at most
    let wait = min(Int64(5) << Int64(min(recent.count - 2, 10)), 300)
    let left = wait.clampedSubtracting(now.seconds(since: newest))
    // A pod from the future, by another clock, is waited for no longer than one of now.
    return left > 0 ? .seconds(clamping: min(left, wait)) : nil
  }

  /// The pods in the order in which they go: those of least use first ("ReplicaSet: scaling down" of the documentation).
  static func victims(_ pods: [KubernetesObject]) -> [KubernetesObject] {
    var perNode: [String: Int] = [:]
    for pod in pods { perNode[pod.spec["nodeName"].string ?? "", default: 0] += 1 }
    let ranks = pods.map { (pod: $0, rank: rank($0, perNode: perNode)) }
    return ranks.sorted { left, right in
      for (a, b) in zip(left.rank, right.rank) where a != b { return a < b }
      return left.pod.name < right.pod.name
    }.map(\.pod)
  }

  /// Smaller goes first.
  private static func rank(_ pod: KubernetesObject, perNode: [String: Int]) -> [Int64] {
    let node = pod.spec["nodeName"].string ?? ""
    let phases = ["Pending": Int64(0), "Unknown": 1, "Running": 2]
    let restarts = pod.status["containerStatuses"].elements.map { $0["restartCount"].count ?? 0 }.max() ?? 0
    return [
      node.isEmpty ? 0 : 1,
      phases[pod.podPhase] ?? 0,
      pod.isReadyPod ? 1 : 0,
      pod.annotations["controller.kubernetes.io/pod-deletion-cost"].flatMap { Int64($0) } ?? 0,
      -Int64(perNode[node] ?? 0),
      Int64(0).clampedSubtracting(pod.readySince?.seconds ?? 0),
      -Int64(restarts),
      Int64(0).clampedSubtracting(pod.creationTimestamp?.seconds ?? 0),
    ]
  }

  /// The status that these pods give.
  /// - Returns: the set with its new status, and the seconds until another pod becomes available by itself.
  static func status(of set: KubernetesObject, pods: [KubernetesObject], now: Timestamp) -> (
    set: KubernetesObject, secondsUntilChange: Int64?
  ) {
    let active = pods.filter(\.isActivePod)
    let templateLabels = set.spec["template"]["metadata"]["labels"].strings
    let waits = active.compactMap {
      $0.secondsUntilAvailable(minReadySeconds: set.spec["minReadySeconds"].count ?? 0, now: now)
    }
    var changed = set
    var status = set.status
    status["replicas"] = JSONValue(active.count)
    let counts = [
      "fullyLabeledReplicas": active.count { pod in
        templateLabels.allSatisfy { pod.labels[$0.key] == $0.value }
      },
      "readyReplicas": active.count { $0.isReadyPod },
      "availableReplicas": waits.count { $0 == 0 },
    ]
    for (key, count) in counts {
      if count > 0 { status[key] = JSONValue(count) } else { status.remove(key) }
    }
    status["observedGeneration"] = JSONValue(set.generation)
    changed.status = status
    return (changed, waits.filter { $0 > 0 }.min())
  }

  /// A new pod of the set.
  static func pod(of set: KubernetesObject, name: String) -> KubernetesObject {
    let template = set.spec["template"]
    var pod = KubernetesObject(.pods, namespace: set.namespace, name: name)
    for key in ["labels", "annotations", "finalizers"] {
      let value = template["metadata"][key]
      if !value.isNull { pod.metadata[key] = value }
    }
    pod.ownerReferences = [OwnerReference(to: set)]
    pod["spec"] = template["spec"]
    return pod
  }
}
