import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import Synchronization

/// Takes a pod one step towards its node: decides, has its volumes made there, binds.
struct PodBinder: Sendable {
  let client: KubernetesClient
  let informers: SchedulerInformers
  let usage: ClusterUsage
  let reservations: VolumeReservations
  let ranking: any VolumeNodeRanking
  let events: EventRecorder
  let logger: Logger
  private let memory = Memory()

  init(
    client: KubernetesClient, informers: SchedulerInformers, usage: ClusterUsage, reservations: VolumeReservations,
    ranking: any VolumeNodeRanking, events: EventRecorder, logger: Logger
  ) {
    self.client = client
    self.informers = informers
    self.usage = usage
    self.reservations = reservations
    self.ranking = ranking
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
      volumes = try PodVolumes(
        of: pod, claim: { informers.claims.cache.get($0) }, volume: { informers.volumes.cache.get(name: $0) },
        storageClass: { informers.storageClasses.cache.get(name: $0) }, allVolumes: { informers.volumes.cache.list() })
    } catch {
      // A pod whose volume is just being bound is on its way, not refused: the next change of a volume brings it back.
      if usage.node(ofPod: pod.uid) != nil {
        memory.wait(pod.key, countsAsAttempt: false)
        return .done
      }
      return try await refuse(pod, "0/\(informers.nodes.cache.count) nodes are available: \(error).")
    }
    let requests = PodRequests(pod)
    let question = SchedulingDecision.Question(
      pod: pod, requests: requests, volumes: volumes, nodes: usage.snapshot(except: pod.uid),
      storage: volumes.unbound.isEmpty ? [:] : storage(for: volumes.unbound),
      failedNodes: memory.failedNodes(of: key))
    switch SchedulingDecision.make(question, ranking: ranking) {
    case .none(let refusals):
      usage.remove(uid: pod.uid)
      // Where every other node was tried, the failed ones may be tried anew, after a while.
      let hasFailed = refusals.values.contains { $0.contains(.provisioningFailed) }
      if hasFailed { memory.forgetFailures(of: key) }
      let result = try await refuse(pod, Refusal.message(refusals))
      return hasFailed ? .requeueAfter(.seconds(5)) : result
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
          reservations.release(volumes.unbound.map(\.claim.uid))
        }
        throw error
      }
      memory.succeeded(key)
      return .done
    }
  }

  // MARK: Acts

  /// Writes the node on the claims, so that their volumes are made there. Their events lead back to the pod.
  private func select(
    _ node: String, for unbound: [PodVolumes.Unbound], of pod: KubernetesObject, reason: String
  ) async throws {
    let new = unbound.filter { $0.selectedNode == nil }
    guard !new.isEmpty else { return }
    reservations.reserve(new.map(\.claim), on: node)
    logger.info(
      "volumes get their node",
      metadata: ["pod": "\(pod.key)", "node": "\(node)", "claims": "\(new.count)", "reason": "\(reason)"])
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
    events.record(
      .normal, about: pod, reason: "Scheduled", message: "Successfully assigned \(pod.key) to \(node)")
  }

  /// Tells that the pod fits nowhere; it comes back when something changes.
  private func refuse(_ pod: KubernetesObject, _ message: String) async throws -> ReconcileResult {
    memory.wait(pod.key)
    events.record(.warning, about: pod, reason: "FailedScheduling", message: message)
    var changed = pod
    changed.setCondition(Condition("PodScheduled", .no, reason: "Unschedulable", message: message))
    do { try await client.applyStatus(changed, as: .pods, existing: pod) } catch let status as APIStatus
      where status.isNotFound || status.isConflict
    { return .done }
    return .done
  }

  // MARK: Storage

  /// What every node has in the pools of these claims: published capacity less what is promised.
  private func storage(for unbound: [PodVolumes.Unbound]) -> [String: NodeStorage] {
    let tracked = unbound.map(\.storageClass).filter { storageClass in
      informers.drivers.cache.get(name: storageClass["provisioner"].string ?? "")?.spec["storageCapacity"].bool == true
    }
    let reserved = reservations.reserved(except: Set(unbound.map(\.claim.uid)))
    let capacities = informers.capacities.cache.list()
    let poolOfClass = Dictionary(
      informers.storageClasses.cache.list().map { ($0.name, StoragePool.name(for: $0)) },
      uniquingKeysWith: { first, _ in first })
    var all: [String: NodeStorage] = [:]
    for node in usage.nodes {
      var promised: [String: Int64] = [:]
      for (storageClass, bytes) in reserved[node.name] ?? [:] {
        promised[poolOfClass[storageClass] ?? storageClass, default: 0] += bytes
      }
      var pools: [String: NodeStorage.Pool] = [:]
      for storageClass in tracked {
        let pool = StoragePool.name(for: storageClass)
        pools[pool] = Self.capacity(
          of: storageClass.name, on: node, capacities, reserved: promised[pool] ?? 0)
      }
      all[node.name] = NodeStorage(node: node.name, pools: pools)
    }
    return all
  }

  /// The largest of the capacities published for a class and node; without any, there is no space.
  static func capacity(
    of storageClass: String, on node: NodeState, _ capacities: [KubernetesObject], reserved: Int64
  ) -> NodeStorage.Pool {
    let found = capacities.filter { $0["storageClassName"].string == storageClass && covers($0, node) }
      .map { capacity in
        NodeStorage.Pool(
          publishedFreeBytes: bytes(capacity["capacity"]) ?? 0, reservedBytes: reserved,
          maximumVolumeBytes: bytes(capacity["maximumVolumeSize"]))
      }
    return found.max { $0.publishedFreeBytes < $1.publishedFreeBytes }
      ?? NodeStorage.Pool(publishedFreeBytes: 0, reservedBytes: reserved)
  }

  private static func covers(_ capacity: KubernetesObject, _ node: NodeState) -> Bool {
    let topology = capacity["nodeTopology"]
    guard !topology.isNull, let selector = try? LabelSelector(json: topology) else { return false }
    return selector.matches(node.labels)
  }

  private static func bytes(_ value: JSONValue) -> Int64? {
    value.string.flatMap { Quantity($0)?.value } ?? value.int.map(Int64.init)
  }
}

extension PodBinder {
  /// Follows what happens in the cluster: keeps the books, and brings back pods that a change may help.
  func follow(_ queue: WorkQueue<ObjectKey>) {
    let (usage, reservations, memory, informers) = (usage, reservations, memory, informers)
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
    informers.claims.onEvent { event in
      let claim = event.object
      var failedNode: String?
      if case .deleted = event { reservations.release([claim.uid]) } else { failedNode = reservations.observe(claim) }
      for pod in informers.pods.cache.list(namespace: claim.namespace)
      where PodBinder.isOurs(pod) && PodVolumes.claimKeys(of: pod).contains(claim.key) {
        if let failedNode {
          memory.failed(pod.key, on: failedNode)
          usage.remove(uid: pod.uid)
        }
        queue.add(pod.key)
      }
      if failedNode != nil { wakeAll() }
    }
    informers.capacities.onEvent { event in
      let capacity = event.object
      if case .deleted = event { return }
      let nodes = usage.nodes.filter { PodBinder.covers(capacity, $0) }.map(\.name)
      reservations.capacityChanged(of: capacity["storageClassName"].string ?? "", on: Set(nodes))
      wakeAll()
    }
    for informer in [informers.volumes, informers.storageClasses, informers.drivers] {
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
    pods.withLock { _ = $0[key, default: Pod()].failedNodes.insert(node) }
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
