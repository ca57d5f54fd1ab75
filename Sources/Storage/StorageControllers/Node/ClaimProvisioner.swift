import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Makes the volumes of claims that were given to this node, grows them, and gives them other attributes.
///
/// A volume is made in three steps, each harmless when repeated: the claim is held (`StorageNames.making`), the driver makes
/// the volume, its object is written. What ends between two of them goes on, or is taken back when the claim is deleted or
/// given to another node.
struct ClaimProvisioner: Sendable {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  let caches: NodeStorageCaches
  let events: EventRecorder
  let capacityChanged: @Sendable () -> Void

  private var node: String { caches.node.id }

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let claim = caches.claims.get(key) else { return .done }
    if claim.isBeingDeleted { return try await takeBack(claim) }
    if let name = claim.spec["volumeName"].string, !name.isEmpty {
      // Not between the writes of who binds it.
      guard claim.phase == "Bound" else { return .done }
      try await letGo(claim)
      return try await keep(claim, name)
    }
    guard claim.annotations[StorageNames.selectedNode] == node else { return try await takeBack(claim) }
    return try await provision(claim)
  }

  private func isHeld(_ claim: KubernetesObject) -> Bool {
    claim.finalizers.contains(StorageNames.making) && claim.annotations[StorageNames.makingNode] == node
  }

  // MARK: Making

  private func provision(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard let storageClass = caches.classes.get(name: claim.storageClassName),
      storageClass["provisioner"].string == driverName, let size = claim.requestedStorage
    else { return .done }
    do throws(ClaimWishes.Obstacle) { try ClaimWishes.check(claim) } catch {
      // What a claim asks for does not change.
      events.record(
        .warning, about: claim, reason: "ProvisioningFailed", message: "cannot make a volume of \(size): \(error)")
      return try await takeBack(claim)
    }
    let name = StorageNames.volume(of: claim)
    // It is made; the claim is let go once it is bound.
    if caches.volumes.get(name: name) != nil { return .done }
    if try await client.getIfPresent(.persistentVolumes, name: name) != nil {
      try await letGo(claim)
      return .done
    }
    if let refusal = try await sourceObstacle(of: claim) { return try await waitForSource(claim, refusal) }
    let held: KubernetesObject
    if isHeld(claim) {
      held = claim
    } else {
      // Another node may have begun: it takes back what it made, and lets go.
      if claim.finalizers.contains(StorageNames.making) { return .requeueAfter(.seconds(1)) }
      var intent = claim
      intent.finalizers.append(StorageNames.making)
      intent.annotations[StorageNames.makingNode] = node
      held = try await client.update(intent, as: .persistentVolumeClaims)
    }
    // It is held: what it is made from stays from here on, if it is still there.
    let origin: ClaimOrigin?
    switch try await self.origin(of: held) {
    case .ready(let found): origin = found
    case .obstacle(let why): return try await waitForSource(held, why)
    case nil: origin = nil
    }
    let attributes: VolumeAttributes
    do throws(VolumeAttributes.Obstacle) { attributes = try await VolumeAttributes(claim, client, driverName) } catch {
      events.record(
        .warning, about: claim, reason: "ProvisioningFailed", message: "cannot make a volume of \(size): \(error)")
      return .requeueAfter(VolumeAttributes.patience)
    }
    let parameters = storageClass["parameters"].strings
    let request = VolumeDriver.VolumeRequest(
      name: name, bytes: size.value, fileSystem: parameters[StorageNames.fileSystem] ?? "xfs",
      isBlock: claim.volumeMode == "Block",
      mountOptions: storageClass["mountOptions"].elements.compactMap(\.string),
      parameters: parameters.filter { !$0.key.hasPrefix(VolumeParameters.reservedPrefix) },
      mutableParameters: attributes.parameters, topology: caches.node.topology, origin: origin?.handle)
    let volume: VolumeDriver.Volume
    do throws(VolumeDriver.Refusal) { volume = try await driver.create(request) } catch {
      return try await failed(held, size: size, error)
    }
    capacityChanged()
    let object = object(volume, for: held, storageClass: storageClass)
    do { try await client.create(object, as: .persistentVolumes) } catch let status as APIStatus
      where status.isAlreadyExists
    {}
    events.record(
      .normal, about: claim, reason: "ProvisioningSucceeded", message: "made volume \(object.name) of \(size)")
    // Binding it is the cluster's, whose write leads back here; the claim is let go then.
    return .done
  }

  private func failed(_ claim: KubernetesObject, size: Quantity, _ refusal: VolumeDriver.Refusal) async throws
    -> ReconcileResult
  {
    events.record(
      .warning, about: claim, reason: "ProvisioningFailed",
      message: "cannot make a volume of \(size) on \(node): \(refusal)")
    switch refusal.kind {
    case .noRoom:
      capacityChanged()
      // By this the scheduler learns that the node was no good.
      var back = released(claim)
      back.annotations[StorageNames.selectedNode] = nil
      try await client.update(back, as: .persistentVolumeClaims)
      return .done
    case .invalid: return .requeueAfter(.seconds(300))
    case .passing: throw refusal
    }
  }

  private func object(
    _ volume: VolumeDriver.Volume, for claim: KubernetesObject, storageClass: KubernetesObject
  ) -> KubernetesObject {
    var object = KubernetesObject(.persistentVolumes, name: StorageNames.volume(of: claim), labels: volume.topology)
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
    object.spec.set("volumeAttributesClassName", ifPresent: claim.attributesClassName.map { .string($0) })
    if claim.volumeMode != "Block" {
      object.spec["csi"]["fsType"] = .string(storageClass["parameters"].strings[StorageNames.fileSystem] ?? "xfs")
    }
    if !storageClass["mountOptions"].elements.isEmpty { object.spec["mountOptions"] = storageClass["mountOptions"] }
    return object
  }

  // MARK: Taking back

  /// Takes back what was made for a claim whose volume has no object yet.
  private func takeBack(_ claim: KubernetesObject) async throws -> ReconcileResult {
    guard isHeld(claim) else { return .done }
    let name = StorageNames.volume(of: claim)
    // A claim that has had a volume: its data is kept, whatever became of the object, and whoever says that it is being made.
    let hadVolume = !(claim.spec["volumeName"].string ?? "").isEmpty
    if !hadVolume, try await client.getIfPresent(.persistentVolumes, name: name) == nil {
      // Without an object nobody has ever mounted it.
      try await driver.delete(name)
      capacityChanged()
    }
    try await letGo(claim)
    return .done
  }

  private func letGo(_ claim: KubernetesObject) async throws {
    guard isHeld(claim) else { return }
    do { try await client.update(released(claim), as: .persistentVolumeClaims) } catch let status as APIStatus
      where status.isNotFound
    {}
  }

  func released(_ claim: KubernetesObject) -> KubernetesObject {
    var released = claim
    released.finalizers.removeAll { $0 == StorageNames.making }
    released.annotations[StorageNames.makingNode] = nil
    return released
  }

  // MARK: Keeping

  /// Makes the volume be what the bound claim asks for by now.
  private func keep(_ claim: KubernetesObject, _ name: String) async throws -> ReconcileResult {
    guard let volume = caches.volumes.get(name: name), VolumeBinding.isMutual(claim, volume),
      volume.spec["csi"]["driver"].string == driverName, let handle = volume.spec["csi"]["volumeHandle"].string
    else { return .done }
    if VolumeAttributes.differ(claim, volume) {
      let change = VolumeAttributesChange(driverName: driverName, client: client, driver: driver, events: events)
      let result = try await change.make(claim, volume, handle)
      // What was written leads back here; what waits for its class grows meanwhile.
      if case .done = result { return .done }
      _ = try await grow(claim, volume, handle)
      return result
    }
    return try await grow(claim, volume, handle)
  }

  /// Makes the volume as large as the claim asks. A file system on it grows by whoever has it mounted.
  private func grow(_ claim: KubernetesObject, _ volume: KubernetesObject, _ handle: String) async throws
    -> ReconcileResult
  {
    guard
      let wanted = claim.requestedStorage,
      let present = claim.status["capacity"]["storage"].string.flatMap(Quantity.init), wanted > present
    else { return .done }
    guard caches.classes.get(name: claim.storageClassName)?["allowVolumeExpansion"].bool == true else {
      // A change of the class leads back here.
      events.record(
        .warning, about: claim, reason: "VolumeResizeFailed",
        message:
          "cannot grow from \(present) to \(wanted): storage class \"\(claim.storageClassName)\" does not say allowVolumeExpansion: true"
      )
      return .done
    }
    if let move = volume.annotations[VolumeMove.annotation] {
      // It is copied as large as it was; its end leads back here, on the node where it is then.
      events.record(
        .normal, about: claim, reason: "VolumeResizeWaits",
        message: "grows from \(present) to \(wanted) when move \(move) of its volume is over")
      return .done
    }
    let isPending = claim.isConditionTrue(StorageNames.resizePending)
    if isPending, let capacity = volume.volumeCapacity, capacity >= wanted { return .done }
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
      changed.setCondition(
        Condition(
          StorageNames.resizePending, .yes, reason: "WaitingForPod",
          message: "the file system grows when a pod mounts the volume"))
      try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
      return .done
    }
    changed.removeCondition(StorageNames.resizePending)
    changed.status["capacity"]["storage"] = .string(Quantity(bytes: size).description)
    try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    events.record(
      .normal, about: claim, reason: "VolumeResizeSuccessful", message: "grown from \(present) to \(wanted)")
    return .done
  }
}
