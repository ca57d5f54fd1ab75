import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import PodScheduler

/// Brings one claim on its way: default class, protection, volume, binding, growth, end.
struct ClaimReconciler: Sendable {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  let caches: StorageCaches
  let events: EventRecorder
  let capacityChanged: @Sendable () -> Void
  /// Where a volume is mounted on this node.
  let mountPath: @Sendable (_ volumeID: String) -> String?

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let claim = caches.claims.get(key) else { return .done }
    if claim.isBeingDeleted { return try await release(claim) }
    let prepared = try await prepare(claim)
    if let volumeName = prepared.spec["volumeName"].string, !volumeName.isEmpty {
      return try await follow(prepared, to: volumeName)
    }
    if let volume = try await existingVolume(for: prepared) { return try await bind(prepared, to: volume) }
    return try await provision(prepared)
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
    let candidates = ExistingVolume.candidates(for: claim, among: caches.volumes.list())
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

  private func provision(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard let storageClass = caches.classes.get(name: claim.storageClassName) else { return .done }
    let node = claim.annotations[StorageNames.selectedNode]
    if storageClass["provisioner"].string == ExistingVolume.noProvisioner, let node {
      return try await giveBack(claim, node: node)
    }
    guard storageClass["provisioner"].string == driverName else { return .done }
    let here = caches.node.topology
    if Self.waits(storageClass) {
      guard let node else { return .done }
      guard here.values.contains(node) else { return .done }
    }
    guard let size = claim.requestedStorage else { return .done }
    let parameters = storageClass["parameters"].strings
    let request = VolumeDriver.VolumeRequest(
      name: "pvc-\(claim.uid)", bytes: size.value, fileSystem: parameters[StorageNames.fileSystem] ?? "xfs",
      isBlock: claim.volumeMode == "Block",
      mountOptions: storageClass["mountOptions"].elements.compactMap(\.string),
      parameters: parameters.filter { !$0.key.hasPrefix("csi.storage.k8s.io/") }, topology: here)
    let volume: VolumeDriver.Volume
    do throws(VolumeDriver.Refusal) { volume = try await driver.create(request) } catch {
      return try await provisioningFailed(claim, node: node, size: size, error)
    }
    capacityChanged()
    let object = volumeObject(volume, for: claim, storageClass: storageClass)
    let stored: KubernetesObject
    do { stored = try await client.create(object, as: .persistentVolumes) } catch let status as APIStatus
      where status.isAlreadyExists
    { stored = try await client.get(.persistentVolumes, name: object.name) }
    events.record(
      .normal, about: claim, reason: "ProvisioningSucceeded", message: "made volume \(object.name) of \(size)")
    return try await bind(claim, to: stored)
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

  private func provisioningFailed(
    _ claim: KubernetesObject, node: String?, size: Quantity, _ refusal: VolumeDriver.Refusal
  ) async throws -> ReconcileResult {
    events.record(
      .warning, about: claim, reason: "ProvisioningFailed",
      message: "cannot make a volume of \(size)\(node.map { " on \($0)" } ?? ""): \(refusal)")
    switch refusal.kind {
    case .noRoom where node != nil:
      capacityChanged()
      try await unselect(claim)
      return .done
    case .noRoom: return .requeueAfter(.seconds(30))
    case .invalid: return .requeueAfter(.seconds(300))
    case .passing: throw refusal
    }
  }

  private func volumeObject(
    _ volume: VolumeDriver.Volume, for claim: KubernetesObject, storageClass: KubernetesObject
  ) -> KubernetesObject {
    var object = KubernetesObject(.persistentVolumes, name: "pvc-\(claim.uid)")
    object.annotations = [StorageNames.provisionedBy: driverName]
    object.finalizers = [StorageNames.volumeProtection, StorageNames.provisionerFinalizer]
    object.spec = [
      "capacity": ["storage": .string(Quantity(bytes: volume.bytes).description)],
      "accessModes": claim.spec["accessModes"], "volumeMode": .string(claim.volumeMode),
      "persistentVolumeReclaimPolicy": .string(storageClass["reclaimPolicy"].string ?? "Delete"),
      "storageClassName": .string(storageClass.name),
      "claimRef": VolumeBinding.reference(to: claim),
      "csi": [
        "driver": .string(driverName), "volumeHandle": .string(volume.id),
        "volumeAttributes": .strings(volume.context),
      ],
      "nodeAffinity": [
        "required": [
          "nodeSelectorTerms": [
            [
              "matchExpressions": .array(
                volume.topology.sorted { $0.key < $1.key }.map {
                  ["key": .string($0.key), "operator": "In", "values": [.string($0.value)]]
                })
            ]
          ]
        ]
      ],
    ]
    if claim.volumeMode != "Block" {
      object.spec["csi"]["fsType"] = .string(storageClass["parameters"].strings[StorageNames.fileSystem] ?? "xfs")
    }
    if !storageClass["mountOptions"].elements.isEmpty { object.spec["mountOptions"] = storageClass["mountOptions"] }
    return object
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

  /// Status of a bound claim, and growth.
  /// - Parameter volume: says that it is this claim's (`VolumeBinding.isMutual`).
  private func keepBound(_ claim: KubernetesObject, to volume: KubernetesObject) async throws -> ReconcileResult {
    guard VolumeBinding.isMutual(claim, volume) else { return .requeueAfter(.seconds(1)) }
    var changed = claim
    changed.status["phase"] = "Bound"
    changed.status["accessModes"] = volume.spec["accessModes"]
    if changed.status["capacity"].isNull, let capacity = volume.volumeCapacity {
      changed.status["capacity"]["storage"] = .string(capacity.description)
    }
    let current = try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    return try await grow(current, volume: volume)
  }

  /// Makes the volume as large as the claim asks, first below, then its file system.
  private func grow(_ claim: KubernetesObject, volume: KubernetesObject) async throws -> ReconcileResult {
    guard let wanted = claim.requestedStorage, volume.spec["csi"]["driver"].string == driverName,
      let handle = volume.spec["csi"]["volumeHandle"].string,
      let present = claim.status["capacity"]["storage"].string.flatMap(Quantity.init), wanted > present
    else { return .done }
    guard caches.classes.get(name: claim.storageClassName)?["allowVolumeExpansion"].bool == true else { return .done }
    let size: Int64
    let needsNode: Bool
    do throws(VolumeDriver.Refusal) { (size, needsNode) = try await driver.expand(handle, to: wanted.value) } catch {
      events.record(
        .warning, about: claim, reason: "VolumeResizeFailed",
        message: "cannot grow from \(present) to \(wanted): \(error)")
      return .requeueAfter(error.kind == .passing ? .seconds(2) : .seconds(60))
    }
    capacityChanged()
    if volume.volumeCapacity.map({ $0.value < size }) ?? true {
      try await client.patch(
        .persistentVolumes, name: volume.name,
        ["spec": ["capacity": ["storage": .string(Quantity(bytes: size).description)]]])
    }
    var changed = claim
    if needsNode, claim.volumeMode != "Block" {
      guard let path = mountPath(handle) else {
        changed.setCondition(
          Condition(
            "FileSystemResizePending", .yes, reason: "WaitingForPod",
            message: "the file system grows when a pod mounts the volume"))
        try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
        return .requeueAfter(.seconds(5))
      }
      do throws(VolumeDriver.Refusal) { try await driver.expandOnNode(handle, path: path, to: size) } catch {
        events.record(.warning, about: claim, reason: "FileSystemResizeFailed", message: "\(error)")
        return .requeueAfter(.seconds(30))
      }
    }
    changed.removeCondition("FileSystemResizePending")
    changed.status["capacity"]["storage"] = .string(Quantity(bytes: size).description)
    try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    events.record(
      .normal, about: claim, reason: "VolumeResizeSuccessful", message: "grown from \(present) to \(wanted)")
    return .done
  }

  /// Lets a deleted claim go once no pod uses it.
  private func release(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard claim.finalizers.contains(StorageNames.claimProtection) else { return .done }
    // The pod's end leads back here.
    guard caches.pods.list(by: StorageCaches.byClaim, claim.key.description).allSatisfy(Self.hasEnded) else {
      return .done
    }
    // The cache may not know the newest pods.
    let pods = try await client.list(.pods, namespace: claim.namespace).items.filter {
      StorageCaches.byClaim.values($0).contains(claim.key.description)
    }
    guard pods.allSatisfy(Self.hasEnded) else { return .requeueAfter(.seconds(1)) }
    try await undoProvisioning(claim)
    var changed = claim
    changed.finalizers.removeAll { $0 == StorageNames.claimProtection }
    do { try await client.update(changed, as: .persistentVolumeClaims) } catch let status as APIStatus
      where status.isNotFound
    {}
    return .done
  }

  private static func hasEnded(_ pod: KubernetesObject) -> Bool { ["Succeeded", "Failed"].contains(pod.phase) }

  /// A volume that was made for the claim, but whose object was not written before the claim was deleted.
  private func undoProvisioning(_ claim: KubernetesObject) async throws {
    guard (claim.spec["volumeName"].string ?? "").isEmpty,
      caches.classes.get(name: claim.storageClassName)?["provisioner"].string == driverName,
      try await client.getIfPresent(.persistentVolumes, name: "pvc-\(claim.uid)") == nil
    else { return }
    try await driver.delete("pvc-\(claim.uid)")
    capacityChanged()
  }
}
