import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Keeps as many pods of each ReplicaSet as it asks for.
public struct ReplicaSetController: Service {
  private let controller: Controller<ObjectKey>
  private let expectations: Expectations

  public init(_ client: KubernetesClient, informers: SharedInformers, events: EventRecorder, logger: Logger) {
    let expectations = Expectations()
    self.expectations = expectations
    let pods = informers.pods
    let reconciler = ReplicaSetReconciler(
      get: { informers.replicaSets.cache.get($0) },
      podsOf: { set in
        let owned = pods.cache.list(by: .ownerUID, set.uid)
        // Orphans are rare; they are looked for among the namespace's pods that nobody controls.
        let orphans = pods.cache.list(by: .ownerUID, CacheIndex.orphans(in: set.namespace))
        return owned + orphans
      }, client: client, expectations: expectations, events: events)
    controller = Controller(
      name: "replicaset", workers: 4, of: informers.replicaSets, waitingFor: [pods], logger: logger
    ) { try await reconciler.reconcile($0) }
    // The expectations hear of a pod before the queue does, so that the reconcile finds them met.
    pods.onEvent { event in
      guard let owner = event.object.controller, owner.kind == Resource.replicaSets.kind else { return }
      let key = ObjectKey(namespace: event.object.namespace, name: owner.name)
      switch event {
      case .added(let pod): expectations.created(pod.name, by: key)
      case .deleted(let pod): expectations.deleted(pod.uid, by: key)
      case .updated(_, let pod): if pod.isBeingDeleted { expectations.deleted(pod.uid, by: key) }
      }
    }
    controller.watchOwned(pods, by: .replicaSets)
    controller.watch(pods) { pod in
      guard pod.controller == nil, !pod.labels.isEmpty else { return [] }
      return informers.replicaSets.cache.list(namespace: pod.namespace).filter { set in
        guard let selector = try? LabelSelector(json: set.spec["selector"]) else { return false }
        return !selector.isEmpty && selector.matches(pod.labels)
      }.map(\.key)
    }
    informers.replicaSets.onEvent { if case .deleted(let set) = $0 { expectations.forget(set.key) } }
  }

  public var counters: Controller<ObjectKey>.Counts { controller.counters }

  public func run() async throws { try await controller.run() }
}

/// One reconcile of one ReplicaSet.
struct ReplicaSetReconciler: Sendable {
  let get: @Sendable (ObjectKey) -> KubernetesObject?
  /// The pods that the set owns, and those of its namespace that nobody controls.
  let podsOf: @Sendable (KubernetesObject) -> [KubernetesObject]
  let client: KubernetesClient
  let expectations: Expectations
  let events: EventRecorder

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let set = get(key) else { return .done }
    // Events of the pods lead back here; this is only for events that never come.
    guard expectations.areMet(for: key) else { return .requeueAfter(.seconds(301)) }
    let selector = try LabelSelector(json: set.spec["selector"])
    let adoption = Adoption(of: podsOf(set), by: set, selector: selector)
    var pods = adoption.owned
    for orphan in adoption.orphans { pods.append(try await client.adopt(orphan, as: .pods, by: set)) }
    for pod in adoption.released { try await client.release(pod, as: .pods, by: set) }

    let now = Timestamp.now
    let plan = ReplicaSetPlan(for: set, pods: pods, now: now)
    var changed = set
    var failure: (any Error)?
    do {
      try await createPods(plan.creations, of: set)
      try await delete(plan.deletions, among: pods, of: set)
      changed.removeCondition("ReplicaFailure")
    } catch let status as APIStatus
      where (status.reason == .forbidden || status.reason == .invalid) && !status.isNamespaceTerminating
    {
      changed.setCondition(Condition("ReplicaFailure", .yes, reason: "FailedCreate", message: status.message))
      events.record(.warning, about: set, reason: "FailedCreate", message: "Error creating: \(status.message)")
      failure = status
    }
    let (withStatus, wait) = ReplicaSetPlan.status(of: changed, pods: pods, now: now)
    try await client.applyStatus(withStatus, as: .replicaSets, existing: set)
    if let failure { throw failure }
    if let backoff = plan.backoff { return .requeueAfter(backoff) }
    return wait.map { .requeueAfter(.seconds(clamping: $0)) } ?? .done
  }

  /// In batches of 1, 2, 4 …, so that a set which cannot have pods costs one refusal, not hundreds.
  private func createPods(_ count: Int, of set: KubernetesObject) async throws {
    var left = count
    var batch = 1
    while left > 0 {
      let size = min(batch, left)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<size { group.addTask { try await self.createPod(of: set) } }
        // Every task is waited for, even if one fails: what was created must be expected.
        var failure: (any Error)?
        while let result = await group.nextResult() {
          if case .failure(let error) = result { failure = failure ?? error }
        }
        if let failure { throw failure }
      }
      left -= size
      batch = min(batch * 2, 32)
    }
  }

  private func createPod(of set: KubernetesObject) async throws {
    // A pod's name must be a label of DNS to be its host name.
    let name = "\(set.name.prefix(57))-\(StableHash.randomSuffix())"
    expectations.expectCreation(of: name, by: set.key)
    do {
      try await client.create(ReplicaSetPlan.pod(of: set, name: name), as: .pods)
      events.record(.normal, about: set, reason: "SuccessfulCreate", message: "Created pod: \(name)")
    } catch {
      expectations.created(name, by: set.key)
      // Without the name, which is another each time: the same refusal must be the same condition and the same event,
      // or each write of it would lead back here at once.
      guard var status = error as? APIStatus else { throw error }
      status.message = status.message.replacing(name, with: "\(set.name)-")
      throw status
    }
  }

  private func delete(_ keys: [ObjectKey], among pods: [KubernetesObject], of set: KubernetesObject) async throws {
    let uids = Dictionary(pods.map { ($0.key, $0.uid) }, uniquingKeysWith: { first, _ in first })
    for key in keys {
      let uid = uids[key] ?? ""
      expectations.expectDeletion(of: uid, by: set.key)
      do {
        try await client.delete(.pods, namespace: key.namespace, name: key.name, uid: uid)
        events.record(.normal, about: set, reason: "SuccessfulDelete", message: "Deleted pod: \(key.name)")
      } catch {
        expectations.deleted(uid, by: set.key)
        if let status = error as? APIStatus, status.isNotFound || status.isConflict { continue }
        throw error
      }
    }
  }
}
