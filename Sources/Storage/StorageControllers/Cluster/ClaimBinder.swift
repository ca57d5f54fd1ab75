import JSONDocument
import KubernetesAPI
import KubernetesClient
import PodScheduler

/// Brings one claim on its way: default class, protection, a node if it waits for no pod, binding, end.
struct ClaimBinder: Sendable {
  let driverName: String
  let client: KubernetesClient
  let caches: StorageCaches
  let events: EventRecorder

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let claim = caches.claims.get(key) else { return .done }
    if claim.isBeingDeleted { return try await release(claim) }
    let prepared = try await prepare(claim)
    if let volumeName = prepared.spec["volumeName"].string, !volumeName.isEmpty {
      return try await follow(prepared, to: volumeName)
    }
    if let volume = try await existingVolume(for: prepared) { return try await bind(prepared, to: volume) }
    return try await provide(prepared)
  }

  // MARK: Steps

  /// Adds what every claim has: protection, and a class if it names none.
  private func prepare(_ claim: KubernetesObject) async throws -> KubernetesObject {
    var changed = claim
    if !changed.finalizers.contains(StorageNames.claimProtection) {
      changed.finalizers.append(StorageNames.claimProtection)
    }
    if changed.spec["storageClassName"].isNull, (changed.spec["volumeName"].string ?? "").isEmpty,
      let byDefault = caches.classes.list().filter({ $0.annotations[StorageNames.defaultClass] == "true" }).first
    {
      changed.spec["storageClassName"] = .string(byDefault.name)
    }
    if changed == claim { return claim }
    return try await client.update(changed, as: .persistentVolumeClaims)
  }

  /// A volume that nobody provisioned for the claim but that it may have, where its pod will run.
  private func existingVolume(for claim: KubernetesObject) async throws -> KubernetesObject? {
    let candidates = ExistingVolume.candidates(for: claim, in: caches.volumes)
    let waits = caches.classes.get(name: claim.storageClassName).map(Self.waits) ?? false
    guard let best = candidates.first, waits, best.claimKey == nil else { return candidates.first }
    // The scheduler chooses the node first; which volume it has in mind follows from it.
    guard let selected = claim.annotations[StorageNames.selectedNode],
      let node = try await client.getIfPresent(.nodes, name: selected)
    else { return nil }
    return candidates.first { ExistingVolume.isUsable($0, onNode: node.name, labels: node.labels) }
  }

  private static func waits(_ storageClass: KubernetesObject) -> Bool {
    storageClass["volumeBindingMode"].string == "WaitForFirstConsumer"
  }

  /// Sees to it that somebody makes a volume.
  private func provide(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard let storageClass = caches.classes.get(name: claim.storageClassName) else { return .done }
    let node = claim.annotations[StorageNames.selectedNode]
    if storageClass["provisioner"].string == ExistingVolume.noProvisioner, let node {
      return try await giveBack(claim, node: node)
    }
    guard storageClass["provisioner"].string == driverName else { return .done }
    do throws(ClaimWishes.Obstacle) { try ClaimWishes.check(claim) } catch {
      // At once, whether or not a pod uses it yet. What a claim asks for does not change.
      events.record(
        .warning, about: claim, reason: "ProvisioningFailed", message: "cannot make a volume for it: \(error)")
      return .done
    }
    // First of all: what it is made from may wait for the lost node to let go of the claim.
    if let node, try await client.getIfPresent(.nodes, name: node) == nil { return try await leave(node, claim) }
    let place = try await sourcePlace(of: claim)
    if case .unknown = place { return .requeueAfter(Self.nodePatience) }
    if node != nil { return .requeueAfter(Self.nodePatience) }
    if Self.waits(storageClass) { return .done }
    return try await chooseNode(claim, storageClass: storageClass.name, only: place.node)
  }

  /// How often is looked whether the node that makes a volume is still there; nothing tells of its end.
  private static let nodePatience = Duration.seconds(30)

  /// The node that a claim was given to is not there (any more): it is taken back, so that another one is found. What may lie
  /// on the lost one was never anybody's.
  private func leave(_ node: String, _ claim: KubernetesObject) async throws -> ReconcileResult {
    var changed = claim
    changed.annotations[StorageNames.selectedNode] = nil
    if changed.annotations[StorageNames.makingNode] == node {
      changed.annotations[StorageNames.makingNode] = nil
      changed.finalizers.removeAll { $0 == StorageNames.making }
    }
    events.record(
      .warning, about: claim, reason: "NodeLost",
      message: "node \(node), which was to make its volume, does not exist; another one is looked for")
    try await client.update(changed, as: .persistentVolumeClaims)
    return .done
  }

  /// A claim that waits for no pod goes where the most is left: it is given to one node, which makes its volume.
  /// - Parameter only: the node that has what it is made from.
  private func chooseNode(_ claim: KubernetesObject, storageClass: String, only: String?) async throws
    -> ReconcileResult
  {
    guard let size = claim.requestedStorage else { return .done }
    let published = caches.capacities.list().filter {
      $0["storageClassName"].string == storageClass
        && (only == nil || $0["nodeTopology"]["matchLabels"].strings.values.first == only)
    }
    let fitting = published.filter { ($0["maximumVolumeSize"].string.flatMap(Quantity.init) ?? size) >= size }
    let best = fitting.max {
      let (one, other) = (Self.capacity($0), Self.capacity($1))
      return one == other ? $0.name > $1.name : one < other
    }
    guard let best, Self.capacity(best) >= size, let node = best["nodeTopology"]["matchLabels"].strings.values.first
    else {
      guard !published.isEmpty else { return .requeueAfter(.seconds(1)) }
      let largest = published.map(Self.capacity).max() ?? Quantity(bytes: 0)
      events.record(
        .warning, about: claim, reason: "ProvisioningFailed",
        message: "no node has room for \(size): \(largest) are left on the one with the most, of \(published.count)")
      return .requeueAfter(.seconds(15))
    }
    var chosen = claim
    chosen.annotations[StorageNames.selectedNode] = node
    try await client.update(chosen, as: .persistentVolumeClaims)
    return .done
  }

  private static func capacity(_ object: KubernetesObject) -> Quantity {
    object["capacity"].string.flatMap(Quantity.init) ?? Quantity(bytes: 0)
  }

  /// The volume that the scheduler had in mind is taken: it looks for another node.
  private func giveBack(_ claim: KubernetesObject, node: String) async throws -> ReconcileResult {
    events.record(
      .warning, about: claim, reason: "FailedBinding", message: "no volume of its class is left that \(node) can use")
    try await unselect(claim)
    return .done
  }

  /// Takes the selected node back, by which the scheduler learns that it was no good.
  private func unselect(_ claim: KubernetesObject) async throws {
    try await client.patch(
      .persistentVolumeClaims, namespace: claim.namespace, name: claim.name,
      ["metadata": ["annotations": [StorageNames.selectedNode: nil]]])
  }

  /// Writes both sides of the bond; each step is harmless when repeated.
  private func bind(_ claim: KubernetesObject, to volume: KubernetesObject) async throws -> ReconcileResult {
    do throws(VolumeBinding.Obstacle) { try VolumeBinding.check(volume, for: claim) } catch {
      return try await refuse(claim, volume.name, error)
    }
    var volume = volume
    if volume.spec["claimRef"]["uid"].string != claim.uid {
      volume.spec["claimRef"] = VolumeBinding.reference(to: claim)
      volume.annotations[StorageNames.boundByController] = "yes"
      volume = try await client.update(volume, as: .persistentVolumes)
    }
    let bound = try await client.patch(
      .persistentVolumeClaims, namespace: claim.namespace, name: claim.name,
      [
        "metadata": ["uid": .string(claim.uid), "annotations": [StorageNames.bindCompleted: "yes"]],
        "spec": ["volumeName": .string(volume.name)],
      ])
    return try await keepBound(bound, to: volume)
  }

  /// A claim that names its volume: bound to it, or a wish of whoever wrote the claim.
  private func follow(_ claim: KubernetesObject, to name: String) async throws -> ReconcileResult {
    if let volume = caches.volumes.get(name: name), VolumeBinding.isMutual(claim, volume) {
      return try await keepBound(claim, to: volume)
    }
    // The cache may lag behind a bond that was just made.
    guard let volume = try await client.getIfPresent(.persistentVolumes, name: name) else {
      guard claim.phase == "Bound" else { return .requeueAfter(.seconds(2)) }
      return try await lose(claim, "ClaimLost", "volume \(name) is gone, with its data")
    }
    if VolumeBinding.isMutual(claim, volume) { return try await keepBound(claim, to: volume) }
    return try await bind(claim, to: volume)
  }

  /// The volume that a claim names is not for it.
  private func refuse(_ claim: KubernetesObject, _ volume: String, _ obstacle: VolumeBinding.Obstacle) async throws
    -> ReconcileResult
  {
    if claim.phase == "Bound" { return try await lose(claim, "ClaimMisbound", "volume \(volume): \(obstacle)") }
    events.record(
      .warning, about: claim, reason: obstacle == .ofAnotherClaim ? "FailedBinding" : "VolumeMismatch",
      message: "Cannot bind to requested volume \"\(volume)\": \(obstacle)")
    return .requeueAfter(.seconds(15))
  }

  private func lose(_ claim: KubernetesObject, _ reason: String, _ message: String) async throws -> ReconcileResult {
    var lost = claim
    lost.status["phase"] = "Lost"
    try await client.applyStatus(lost, as: .persistentVolumeClaims, existing: claim)
    events.record(.warning, about: claim, reason: reason, message: message)
    return .done
  }

  /// Status of a bound claim.
  /// - Parameter volume: says that it is this claim's (`VolumeBinding.isMutual`).
  private func keepBound(_ claim: KubernetesObject, to volume: KubernetesObject) async throws -> ReconcileResult {
    guard VolumeBinding.isMutual(claim, volume) else { return .requeueAfter(.seconds(1)) }
    var changed = claim
    changed.status["phase"] = "Bound"
    changed.status["accessModes"] = volume.spec["accessModes"]
    if changed.status["capacity"].isNull, let capacity = volume.volumeCapacity {
      changed.status["capacity"]["storage"] = .string(capacity.description)
    }
    try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    return .done
  }

  /// Lets a deleted claim go once no pod uses it, and nothing is being made from it.
  private func release(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard claim.finalizers.contains(StorageNames.claimProtection) else { return try await forgetLostNode(claim) }
    if try await isBeingRead(claim) { return .requeueAfter(.seconds(1)) }
    // The pod's end leads back here.
    guard caches.pods.list(by: .claims, claim.key.description).allSatisfy(Self.hasEnded) else {
      return .done
    }
    // The cache may not know the newest pods.
    let pods = try await client.list(.pods, namespace: claim.namespace).items.filter {
      $0.claimKeys.contains(claim.key)
    }
    guard pods.allSatisfy(Self.hasEnded) else { return .requeueAfter(.seconds(1)) }
    var changed = claim
    changed.finalizers.removeAll { $0 == StorageNames.claimProtection }
    do { try await client.update(changed, as: .persistentVolumeClaims) } catch let status as APIStatus
      where status.isNotFound
    {}
    return .done
  }

  private static func hasEnded(_ pod: KubernetesObject) -> Bool { ["Succeeded", "Failed"].contains(pod.phase) }

  /// The node that was to make the claim's volume takes back what it has; nobody waits for one that is gone for good.
  private func forgetLostNode(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard claim.finalizers.contains(StorageNames.making) else { return .done }
    let node = claim.annotations[StorageNames.makingNode] ?? ""
    // Nothing tells of the end of a node that nobody watches here.
    if !node.isEmpty, try await client.getIfPresent(.nodes, name: node) != nil { return .requeueAfter(.seconds(30)) }
    events.record(
      .warning, about: claim, reason: "VolumeAbandoned",
      message: "node \(node), which may have made a volume for it, is gone; nothing there was taken back")
    var changed = claim
    changed.finalizers.removeAll { $0 == StorageNames.making }
    try await client.update(changed, as: .persistentVolumeClaims)
    return .done
  }
}
