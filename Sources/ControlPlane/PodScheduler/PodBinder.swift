import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging

/// Takes a pod one step towards its node: decides, has its volumes made there, binds.
struct PodBinder: Sendable {
  let client: KubernetesClient
  let informers: SchedulerInformers
  let usage: ClusterUsage
  let ledger: StorageLedger
  let events: EventRecorder
  let logger: Logger
  private let memory = Memory()

  init(
    client: KubernetesClient, informers: SchedulerInformers, usage: ClusterUsage, ledger: StorageLedger,
    events: EventRecorder, logger: Logger
  ) {
    self.client = client
    self.informers = informers
    self.usage = usage
    self.ledger = ledger
    self.events = events
    self.logger = logger
  }

  static func isOurs(_ pod: KubernetesObject) -> Bool {
    let phase = pod.status["phase"].string
    return (pod.spec["nodeName"].string ?? "").isEmpty && !pod.isBeingDeleted && phase != "Succeeded"
      && phase != "Failed" && (pod.spec["schedulerName"].string ?? PodScheduler.name) == PodScheduler.name
      && pod.spec["schedulingGates"].elements.isEmpty
  }

  func schedule(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let pod = informers.pods.cache.get(key), Self.isOurs(pod) else {
      memory.forget(key)
      return .done
    }
    let volumes: PodVolumes
    do {
      volumes = try informers.storage.volumes(of: pod)
    } catch {
      // A pod whose volume is just being bound is on its way, not refused: the next change of a volume brings it back.
      if usage.node(ofPod: pod.uid) != nil {
        memory.wait(pod.key, countsAsAttempt: false)
        return .done
      }
      try await refuse(pod, "0/\(informers.nodes.cache.count) nodes are available: \(error).")
      return .done
    }
    if let obstacle = claimInUse(by: pod) {
      usage.remove(uid: pod.uid)
      try await refuse(pod, "0/\(informers.nodes.cache.count) nodes are available: \(obstacle).")
      // Its end leads back here; should it have come just now, so does this.
      return .requeueAfter(.seconds(30))
    }
    let requests = PodRequests(pod)
    let question = SchedulingDecision.Question(
      pod: pod, requests: requests, volumes: volumes, nodes: usage.snapshot(except: pod.uid),
      storage: volumes.unbound.isEmpty ? [:] : ledger.storage(for: volumes.unbound, on: usage.nodes),
      failedNodes: memory.failedNodes(of: key))
    switch SchedulingDecision.make(question, ranking: ledger.ranking) {
    case .none(let refusals):
      usage.remove(uid: pod.uid)
      // Where every other node was tried, the failed ones may be tried anew, after a while.
      let hasFailed = refusals.values.contains { $0.contains(.provisioningFailed) }
      if hasFailed { memory.forgetFailures(of: key) }
      try await refuse(pod, Refusal.message(refusals))
      if hasFailed { return .requeueAfter(.seconds(5)) }
      // What a driver has not shown yet ends without an event.
      return ledger.reservations.isUnsettled ? .requeueAfter(ledger.reservations.patience) : .done
    case .node(let node, let reason):
      usage.place(uid: pod.uid, on: node, requests)
      do {
        if volumes.unbound.isEmpty {
          try await bind(pod, to: node)
        } else {
          try await select(node, for: volumes.unbound, of: pod, reason: reason)
        }
      } catch {
        if volumes.unbound.allSatisfy({ $0.selectedNode == nil }) {
          usage.remove(uid: pod.uid)
          ledger.reservations.release(volumes.unbound.map(\.claim.uid))
        }
        throw error
      }
      memory.succeeded(key)
      return .done
    }
  }

  /// A claim of the pod that may be used by one pod only and is used by another, or is about to be (KEP-2485); the other's
  /// end leads back here.
  private func claimInUse(by pod: KubernetesObject) -> PodVolumes.Obstacle? {
    for key in pod.claimKeys where informers.storage.claims.cache.get(key)?.isForOnePod == true {
      let user = informers.pods.cache.list(by: .claims, key.description).first { other in
        other.uid != pod.uid && !other.isPodEnded
          && (!(other.spec["nodeName"].string ?? "").isEmpty || usage.node(ofPod: other.uid) != nil)
      }
      if let user {
        return PodVolumes.Obstacle(
          description: "persistentvolumeclaim \"\(key.name)\" is ReadWriteOncePod and used by pod \"\(user.name)\"")
      }
    }
    return nil
  }

  // MARK: Acts

  /// Writes the node on the claims, so that their volumes are made there. Their events lead back to the pod.
  private func select(
    _ node: String, for unbound: [PodVolumes.Unbound], of pod: KubernetesObject, reason: String?
  ) async throws {
    let new = unbound.filter { $0.selectedNode == nil }
    guard !new.isEmpty else { return }
    ledger.reservations.reserve(new.map(\.claim), on: node)
    logger.info(
      "volumes get their node",
      metadata: ["pod": "\(pod.key)", "node": "\(node)", "claims": "\(new.count)", "reason": "\(reason ?? "")"])
    for item in new {
      // The resourceVersion guards: a claim that moved on meanwhile is looked at again.
      try await client.patch(
        .persistentVolumeClaims, namespace: item.claim.namespace, name: item.claim.name,
        [
          "metadata": [
            "resourceVersion": .string(item.claim.resourceVersion),
            "annotations": [ClaimAnnotations.selectedNode: .string(node)],
          ]
        ])
    }
    memory.chose(node, for: pod, reason: reason)
  }

  private func bind(_ pod: KubernetesObject, to node: String) async throws {
    var binding = KubernetesObject(apiVersion: "v1", kind: "Binding", namespace: pod.namespace, name: pod.name)
    binding.metadata["uid"] = .string(pod.uid)
    binding["target"] = ["apiVersion": "v1", "kind": "Node", "name": .string(node)]
    do {
      _ = try await client.bytes(
        APIRequest(
          .post, Resource.pods.path(namespace: pod.namespace, name: pod.name, subresource: "binding"),
          contentType: "application/json", body: binding.json.encoded()))
    } catch let status as APIStatus where status.isNotFound || status.isConflict {
      // Gone, or bound by somebody else: the pod's event tells which.
      usage.remove(uid: pod.uid)
      return
    }
    let reason = memory.reason(of: pod, on: node).map { ": \($0)" } ?? ""
    events.record(
      .normal, about: pod, reason: "Scheduled", message: "Successfully assigned \(pod.key) to \(node)\(reason)")
  }

  /// Tells that the pod fits nowhere; it comes back when something changes.
  private func refuse(_ pod: KubernetesObject, _ message: String) async throws {
    memory.wait(pod.key)
    events.record(.warning, about: pod, reason: "FailedScheduling", message: message)
    var changed = pod
    changed.setCondition(Condition("PodScheduled", .no, reason: "Unschedulable", message: message))
    do { try await client.applyStatus(changed, as: .pods, existing: pod) } catch let status as APIStatus
      where status.isNotFound || status.isConflict
    {}
  }
}

extension PodBinder {
  /// Follows what happens in the cluster: keeps the books, and brings back pods that a change may help.
  func follow(_ queue: WorkQueue<ObjectKey>) {
    let (usage, ledger, memory, informers) = (usage, ledger, memory, informers)
    let storage = informers.storage
    let wakeAll: @Sendable () -> Void = {
      for (key, delay) in memory.takeWaiting() { queue.add(key, after: delay) }
    }
    informers.pods.onEvent { event in
      let pod = event.object
      let phase = pod.status["phase"].string
      if case .deleted = event {
        memory.forget(pod.key)
        if usage.remove(uid: pod.uid) { wakeAll() }
      } else if phase == "Succeeded" || phase == "Failed" {
        if usage.remove(uid: pod.uid) { wakeAll() }
      } else if let node = pod.spec["nodeName"].string, !node.isEmpty {
        if case .updated(let old, _) = event, old.spec == pod.spec { return }
        usage.place(uid: pod.uid, on: node, PodRequests(pod))
      } else if PodBinder.isOurs(pod) {
        // Changes of the status alone are mostly our own.
        if case .updated(let old, _) = event, old.spec == pod.spec, old.metadata["labels"] == pod.metadata["labels"] {
          return
        }
        queue.add(pod.key)
      } else {
        usage.remove(uid: pod.uid)
      }
    }
    informers.nodes.onEvent { event in
      if case .deleted(let node) = event {
        usage.removeNode(node.name)
      } else if usage.set(NodeState(event.object)) {
        wakeAll()
      }
    }
    storage.claims.onEvent { event in
      let change = ledger.claimChanged(event)
      for pod in informers.pods.cache.list(by: .claims, event.object.key.description) where PodBinder.isOurs(pod) {
        if let failedNode = change.failedNode {
          memory.failed(pod.key, on: failedNode)
          usage.remove(uid: pod.uid)
        }
        queue.add(pod.key)
      }
      if change.isReleased { wakeAll() }
    }
    storage.capacities.onEvent { event in
      if ledger.capacityChanged(event, labels: { usage.labels(ofNode: $0) }) { wakeAll() }
    }
    storage.storageClasses.onEvent { _ in ledger.classChanged() }
    for informer in [storage.volumes, storage.storageClasses, storage.drivers] {
      informer.onEvent { _ in wakeAll() }
    }
  }
}

/// What the scheduler remembers of pods between their turns.
final class Memory: Sendable {
  private struct Pod {
    var attempts = 0
    var isWaiting = false
    var failedNodes: Set<String> = []
    /// The node that the pod's volumes got, and why.
    var choice: (uid: String, node: String, reason: String)?
  }

  private let pods = Mutex<[ObjectKey: Pod]>([:])

  func forget(_ key: ObjectKey) { pods.withLock { _ = $0.removeValue(forKey: key) } }

  func wait(_ key: ObjectKey, countsAsAttempt: Bool = true) {
    pods.withLock {
      $0[key, default: Pod()].attempts += countsAsAttempt ? 1 : 0
      $0[key]?.isWaiting = true
    }
  }

  func succeeded(_ key: ObjectKey) {
    pods.withLock {
      $0[key]?.attempts = 0
      $0[key]?.isWaiting = false
    }
  }

  func failed(_ key: ObjectKey, on node: String) {
    pods.withLock {
      $0[key, default: Pod()].failedNodes.insert(node)
      $0[key]?.choice = nil
    }
  }

  /// The pod's volumes got a node. The reason is kept until the pod is bound; a restart forgets it.
  func chose(_ node: String, for pod: KubernetesObject, reason: String?) {
    pods.withLock { $0[pod.key, default: Pod()].choice = reason.map { (pod.uid, node, $0) } }
  }

  /// Why the pod's volumes got this node, if that was decided here.
  func reason(of pod: KubernetesObject, on node: String) -> String? {
    pods.withLock {
      guard let choice = $0[pod.key]?.choice, choice.uid == pod.uid, choice.node == node else { return nil }
      return choice.reason
    }
  }

  func failedNodes(of key: ObjectKey) -> Set<String> { pods.withLock { $0[key]?.failedNodes ?? [] } }
  func forgetFailures(of key: ObjectKey) { pods.withLock { $0[key]?.failedNodes = [] } }

  /// The pods that wait for a change, each with a delay that grows with its attempts (to 2 s), so that many refused
  /// pods in a busy cluster do not keep the scheduler from the others.
  func takeWaiting() -> [(ObjectKey, Duration)] {
    pods.withLock { pods in
      var waiting: [(ObjectKey, Duration)] = []
      for (key, pod) in pods where pod.isWaiting {
        pods[key]?.isWaiting = false
        waiting.append((key, pod.attempts == 0 ? .zero : .milliseconds(min(10 << min(pod.attempts, 10), 2000))))
      }
      return waiting
    }
  }
}
