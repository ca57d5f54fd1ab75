import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Rolls Deployments out: a ReplicaSet per template, grown and shrunk as the strategy allows.
public struct DeploymentController: Service {
  private let controller: Controller<ObjectKey>

  public init(_ client: KubernetesClient, informers: SharedInformers, events: EventRecorder, logger: Logger) {
    let reconciler = DeploymentReconciler(
      get: { informers.deployments.cache.get($0) },
      replicaSetsOf: { deployment in
        informers.replicaSets.cache.list(by: .ownerUID, deployment.uid)
          + informers.replicaSets.cache.list(by: .ownerUID, CacheIndex.orphans(in: deployment.namespace))
      },
      podsRemain: { set in
        informers.pods.cache.list(by: .ownerUID, set.uid).contains { !$0.isTerminatedPod }
      }, client: client, events: events)
    controller = Controller(
      name: "deployment", workers: 4, of: informers.deployments, waitingFor: [informers.replicaSets, informers.pods],
      logger: logger
    ) { try await reconciler.reconcile($0) }
    controller.watchOwned(informers.replicaSets, by: .deployments)
    // With Recreate, the new pods wait for the last old one to be gone, which no ReplicaSet's status tells.
    let queue = controller.queue
    informers.pods.onEvent { event in
      guard case .deleted(let pod) = event, let owner = pod.controller, owner.kind == Resource.replicaSets.kind,
        let set = informers.replicaSets.cache.get(namespace: pod.namespace, name: owner.name),
        let deployment = set.controller, deployment.kind == Resource.deployments.kind
      else { return }
      queue.add(ObjectKey(namespace: pod.namespace, name: deployment.name))
    }
  }

  public var counters: Controller<ObjectKey>.Counts { controller.counters }

  public func run() async throws { try await controller.run() }
}

/// One reconcile of one Deployment.
struct DeploymentReconciler: Sendable {
  let get: @Sendable (ObjectKey) -> KubernetesObject?
  /// The sets that the Deployment owns, and those of its namespace that nobody controls.
  let replicaSetsOf: @Sendable (KubernetesObject) -> [KubernetesObject]
  /// Pods of a set exist that have not ended.
  let podsRemain: @Sendable (KubernetesObject) -> Bool
  let client: KubernetesClient
  let events: EventRecorder

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let deployment = get(key) else { return .done }
    let spec = DeploymentSpec(deployment)
    let selector = try LabelSelector(json: deployment.spec["selector"])
    var sets = try await ownedSets(of: deployment, selector: selector)
    let now = Timestamp.now
    if deployment.isBeingDeleted {
      return try await writeStatus(deployment, spec: spec, sets: sets, didCreateSet: false, now: now)
    }
    let isScaling = sets.contains { set in
      guard (set.spec["replicas"].count ?? 0) > 0,
        let desired = set.annotations[DeploymentAnnotations.desiredReplicas]
      else { return false }
      return desired != String(spec.replicas)
    }
    var didCreateSet = false
    if spec.isPaused || isScaling {
      let (new, old) = Self.split(sets, by: deployment)
      let sizes = Rollout.rescale(
        spec: spec, new: new.map(Rollout.Generation.init), old: old.map(Rollout.Generation.init))
      try await resize(&sets, to: sizes, of: deployment, spec: spec)
    } else {
      didCreateSet = try await ensureNewSet(among: &sets, of: deployment, spec: spec)
      let (new, old) = Self.split(sets, by: deployment)
      let sizes = Rollout.step(
        spec: spec, new: new.map(Rollout.Generation.init), old: old.map(Rollout.Generation.init),
        oldPodsRemain: old.contains(where: podsRemain))
      try await resize(&sets, to: sizes, of: deployment, spec: spec)
    }
    let result = try await writeStatus(deployment, spec: spec, sets: sets, didCreateSet: didCreateSet, now: now)
    try await dropOldRevisions(sets, of: deployment, spec: spec)
    return result
  }

  private func ownedSets(of deployment: KubernetesObject, selector: LabelSelector) async throws -> [KubernetesObject] {
    let adoption = Adoption(of: replicaSetsOf(deployment), by: deployment, selector: selector)
    var sets = adoption.owned.filter { !$0.isBeingDeleted }
    for orphan in adoption.orphans { sets.append(try await client.adopt(orphan, as: .replicaSets, by: deployment)) }
    for set in adoption.released { try await client.release(set, as: .replicaSets, by: deployment) }
    return sets.sorted {
      ($0.creationTimestamp?.microseconds ?? 0, $0.name) < ($1.creationTimestamp?.microseconds ?? 0, $1.name)
    }
  }

  // MARK: Templates

  /// The set of the Deployment's template, and the others, oldest first.
  static func split(_ sets: [KubernetesObject], by deployment: KubernetesObject) -> (
    new: KubernetesObject?, old: [KubernetesObject]
  ) {
    let wanted = template(of: deployment)
    let new = sets.first { template(of: $0) == wanted }
    return (new, sets.filter { $0.name != new?.name })
  }

  private static func template(of object: KubernetesObject) -> JSONValue {
    var template = object.spec["template"]
    template["metadata"]["labels"].remove(DeploymentAnnotations.podTemplateHash)
    // What the server adds to the metadata of a template says nothing about it.
    template["metadata"].remove("creationTimestamp")
    return canonical(template)
  }

  /// Without members that say nothing: clients in Go leave them out, so a template that went through one lacks them.
  private static func canonical(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members):
      var kept: [String: JSONValue] = [:]
      for (key, member) in members {
        let member = canonical(member)
        let isEmptyText = member == "" && key == "value"
        if member != .null, member != .array([]), !isEmptyText { kept[key] = member }
      }
      return .object(kept)
    case .array(let elements): return .array(elements.map(canonical))
    default: return value
    }
  }

  /// Creates the set of the present template if there is none, and numbers it as the newest revision.
  /// - Returns: whether it was created.
  private func ensureNewSet(
    among sets: inout [KubernetesObject], of deployment: KubernetesObject, spec: DeploymentSpec
  ) async throws -> Bool {
    let (new, old) = Self.split(sets, by: deployment)
    let revision = (old.map(Self.revision).max() ?? 0).clampedAdding(1)
    if let new {
      let numbered = Self.numbered(new, revision: revision, of: deployment, spec: spec)
      if numbered != new {
        let written = try await client.update(numbered, as: .replicaSets)
        if let index = sets.firstIndex(where: { $0.name == new.name }) { sets[index] = written }
      }
      return false
    }
    let size =
      spec.isRecreate
      ? 0
      : min(
        spec.replicas, max(0, spec.replicas + spec.maxSurge - old.reduce(0) { $0 + ($1.spec["replicas"].count ?? 0) }))
    let set = Self.newSet(of: deployment, size: size, revision: revision, spec: spec)
    do {
      sets.append(try await client.create(set, as: .replicaSets))
    } catch let status as APIStatus where status.isAlreadyExists {
      // Ours, if the cache is behind: then its event comes. Somebody else's: another name is needed.
      let there = try await client.get(.replicaSets, namespace: set.namespace, name: set.name)
      if there.controller?.uid == deployment.uid, Self.template(of: there) == Self.template(of: deployment) {
        sets.append(there)
        return false
      }
      var changed = deployment
      changed.status["collisionCount"] = JSONValue(
        min(Int(Int32.max), (deployment.status["collisionCount"].count ?? 0) + 1))
      try await client.updateStatus(changed, as: .deployments)
      throw APIStatus.conflict(.replicaSets, set.name, "the name is taken; another one is chosen")
    }
    if size > 0 { tellScaling(of: set.name, from: 0, to: size, about: deployment) }
    return true
  }

  static func newSet(
    of deployment: KubernetesObject, size: Int, revision: Int, spec: DeploymentSpec
  ) -> KubernetesObject {
    var seed = template(of: deployment).encoded()
    if let collisions = deployment.status["collisionCount"].int { seed += Array(String(collisions).utf8) }
    let hash = StableHash.text(StableHash.value(seed))
    var template = deployment.spec["template"]
    template["metadata"]["labels"][DeploymentAnnotations.podTemplateHash] = .string(hash)
    var set = KubernetesObject(
      .replicaSets, namespace: deployment.namespace, name: "\(deployment.name)-\(hash)",
      labels: template["metadata"]["labels"].strings)
    set.ownerReferences = [OwnerReference(to: deployment)]
    set.spec["replicas"] = JSONValue(size)
    if spec.minReadySeconds > 0 { set.spec["minReadySeconds"] = JSONValue(spec.minReadySeconds) }
    set.spec["selector"] = deployment.spec["selector"]
    set.spec["selector"]["matchLabels"][DeploymentAnnotations.podTemplateHash] = .string(hash)
    set.spec["template"] = template
    return numbered(set, revision: revision, of: deployment, spec: spec)
  }

  static func revision(_ object: KubernetesObject) -> Int {
    object.annotations[DeploymentAnnotations.revision].flatMap { Int($0) } ?? 0
  }

  /// The set with the annotations it takes over, and with its revision if that is higher than what it had.
  private static func numbered(
    _ set: KubernetesObject, revision: Int, of deployment: KubernetesObject, spec: DeploymentSpec
  ) -> KubernetesObject {
    var numbered = set
    var annotations = set.annotations
    for (key, value) in deployment.annotations where !DeploymentAnnotations.own.contains(key) {
      annotations[key] = value
    }
    let before = Self.revision(set)
    if before < revision {
      annotations[DeploymentAnnotations.revision] = String(revision)
      if before > 0 {
        let history = annotations[DeploymentAnnotations.revisionHistory]
        annotations[DeploymentAnnotations.revisionHistory] = history.map { "\($0),\(before)" } ?? String(before)
      }
    }
    mark(&annotations, spec)
    if annotations != set.annotations { numbered.annotations = annotations }
    if set.spec["minReadySeconds"].count ?? 0 != spec.minReadySeconds {
      numbered.spec["minReadySeconds"] = JSONValue(spec.minReadySeconds)
    }
    return numbered
  }

  private static func mark(_ annotations: inout [String: String], _ spec: DeploymentSpec) {
    annotations[DeploymentAnnotations.desiredReplicas] = String(spec.replicas)
    annotations[DeploymentAnnotations.maxReplicas] = String(spec.replicas + spec.maxSurge)
  }

  // MARK: Sizes, status, history

  private func resize(
    _ sets: inout [KubernetesObject], to sizes: [String: Int], of deployment: KubernetesObject, spec: DeploymentSpec
  ) async throws {
    for index in sets.indices {
      var changed = sets[index]
      let before = changed.spec["replicas"].count ?? 1
      let size = sizes[changed.name] ?? before
      if size != before { changed.spec["replicas"] = JSONValue(size) }
      // Sets without pods are marked when they get some.
      if size > 0 || before > 0 {
        var annotations = changed.annotations
        Self.mark(&annotations, spec)
        if annotations != changed.annotations { changed.annotations = annotations }
      }
      guard changed != sets[index] else { continue }
      sets[index] = try await client.update(changed, as: .replicaSets)
      guard size != before else { continue }
      tellScaling(of: changed.name, from: before, to: size, about: deployment)
    }
  }

  private func tellScaling(of name: String, from before: Int, to size: Int, about deployment: KubernetesObject) {
    events.record(
      .normal, about: deployment, reason: "ScalingReplicaSet",
      message: "Scaled \(size > before ? "up" : "down") replica set \(name) from \(before) to \(size)")
  }

  private func writeStatus(
    _ deployment: KubernetesObject, spec: DeploymentSpec, sets: [KubernetesObject], didCreateSet: Bool, now: Timestamp
  ) async throws -> ReconcileResult {
    let (new, _) = Self.split(sets, by: deployment)
    var current = deployment
    // The Deployment carries the revision of its present set.
    if let new, !deployment.isBeingDeleted, Self.revision(new) > 0, Self.revision(new) != Self.revision(deployment) {
      let patch: JSONValue = [
        "metadata": ["annotations": [DeploymentAnnotations.revision: .string(String(Self.revision(new)))]]
      ]
      current = try await client.patch(
        .deployments, namespace: deployment.namespace, name: deployment.name, patch)
      // A spec changed meanwhile leads to an event of its own; this status is about what was seen.
      current.metadata["generation"] = deployment.metadata["generation"]
    }
    let (changed, deadline) = DeploymentStatus.make(
      for: current, spec: spec, new: new, all: sets, didCreateSet: didCreateSet, now: now)
    try await client.applyStatus(changed, as: .deployments, existing: current)
    return deadline.map { .requeueAfter($0) } ?? .done
  }

  /// Deletes the oldest sets without pods beyond `spec.revisionHistoryLimit`.
  private func dropOldRevisions(
    _ sets: [KubernetesObject], of deployment: KubernetesObject, spec: DeploymentSpec
  ) async throws {
    guard !spec.isPaused else { return }
    let (new, old) = Self.split(sets, by: deployment)
    guard new != nil else { return }
    let idle = old.filter {
      $0.spec["replicas"].int == 0 && ($0.status["replicas"].int ?? 0) == 0
        && $0.generation <= ($0.status["observedGeneration"].int ?? 0)
    }.sorted { Self.revision($0) < Self.revision($1) }
    for set in idle.prefix(max(0, old.count - spec.revisionHistoryLimit)) {
      do {
        try await client.delete(
          .replicaSets, namespace: set.namespace, name: set.name, uid: set.uid, propagation: .background)
      } catch let status as APIStatus where status.isNotFound || status.isConflict {
        continue
      }
    }
  }
}
