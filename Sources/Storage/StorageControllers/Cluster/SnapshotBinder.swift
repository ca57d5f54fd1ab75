import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Brings one VolumeSnapshot on its way: a class, an object that stands for what the volume's node is to keep, what became of
/// that, and its end. It talks to no driver: `SnapshotTaker` does, on the node.
struct SnapshotBinder: Sendable {
  let driverName: String
  let client: KubernetesClient
  let caches: StorageCaches
  let events: EventRecorder

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let snapshot = caches.snapshots.get(key) else { return .done }
    if snapshot.isBeingDeleted { return try await release(snapshot) }
    if let name = snapshot.spec["source"]["volumeSnapshotContentName"].string, !name.isEmpty {
      return try await adopt(snapshot, name)
    }
    return try await take(snapshot)
  }

  // MARK: One that is to be taken

  private func take(_ snapshot: KubernetesObject) async throws -> ReconcileResult {
    let name = SnapshotBinding.contentName(of: snapshot)
    if let content = caches.snapshotContents.get(name: name) { return try await follow(snapshot, content) }
    if !(snapshot.status["boundVolumeSnapshotContentName"].string ?? "").isEmpty {
      if let content = try await client.getIfPresent(.volumeSnapshotContents, name: name) {
        return try await follow(snapshot, content)
      }
      return try await fail(
        snapshot, "SnapshotContentMissing", "VolumeSnapshotContent \"\(name)\" is gone, with what it stood for")
    }
    let key = ObjectKey(
      namespace: snapshot.namespace, name: snapshot.spec["source"]["persistentVolumeClaimName"].string ?? "")
    guard let claim = caches.claims.get(key) else {
      return try await wait(snapshot, "persistentvolumeclaim \"\(key.name)\" not found")
    }
    guard !claim.isBeingDeleted else {
      return try await wait(snapshot, "persistentvolumeclaim \"\(key.name)\" is being deleted")
    }
    guard claim.phase == "Bound", let volume = caches.volumes.get(name: claim.spec["volumeName"].string ?? ""),
      VolumeBinding.isMutual(claim, volume)
    else { return try await wait(snapshot, "persistentvolumeclaim \"\(key.name)\" is not bound to a volume yet") }
    let driver = volume.spec["csi"]["driver"].string ?? ""
    let snapshotClass: KubernetesObject
    if let name = snapshot.spec["volumeSnapshotClassName"].string {
      guard let found = caches.snapshotClasses.get(name: name) else {
        return try await wait(snapshot, "volumesnapshotclass \"\(name)\" not found")
      }
      snapshotClass = found
    } else {
      // Of another driver: whoever serves that one.
      guard driver == driverName else { return .done }
      let defaults = caches.snapshotClasses.list().filter {
        $0.annotations[SnapshotBinding.defaultClass] == "true" && $0["driver"].string == driver
      }
      guard defaults.count == 1, let only = defaults.first else {
        return try await wait(
          snapshot,
          defaults.isEmpty
            ? "no default VolumeSnapshotClass of driver \(driver) exists; name one in volumeSnapshotClassName"
            : "\(defaults.count) VolumeSnapshotClasses of driver \(driver) say that they are the default; name one")
      }
      var changed = snapshot
      changed.spec["volumeSnapshotClassName"] = .string(only.name)
      try await client.update(changed, as: .volumeSnapshots)
      return .done
    }
    guard snapshotClass["driver"].string == driverName else { return .done }
    guard driver == driverName, let handle = volume.spec["csi"]["volumeHandle"].string,
      let node = StorageAccess.node(of: volume)
    else {
      return try await fail(
        snapshot, "SnapshotCreationFailed",
        "the volume of persistentvolumeclaim \"\(key.name)\" is none of driver \(driverName), of which VolumeSnapshotClass \"\(snapshotClass.name)\" is"
      )
    }
    let held = try await hold(snapshot)
    var content = KubernetesObject(
      .volumeSnapshotContents, name: name, labels: [SnapshotBinding.nodeLabel: node])
    content.finalizers = [SnapshotBinding.contentFinalizer]
    content.spec = [
      "deletionPolicy": snapshotClass["deletionPolicy"], "driver": .string(driverName),
      "source": ["volumeHandle": .string(handle)], "sourceVolumeMode": .string(claim.volumeMode),
      "volumeSnapshotClassName": .string(snapshotClass.name), "volumeSnapshotRef": SnapshotBinding.reference(to: held),
    ]
    let made: KubernetesObject
    do {
      made = try await client.create(content, as: .volumeSnapshotContents)
      events.record(
        .normal, about: snapshot, reason: "CreatingSnapshot",
        message: "node \(node) takes a snapshot of the volume of persistentvolumeclaim \"\(key.name)\"")
    } catch let status as APIStatus where status.isAlreadyExists {
      made = try await client.get(.volumeSnapshotContents, name: name)
    }
    return try await follow(held, made)
  }

  // MARK: One that is there already

  /// Whoever writes a snapshot may name any content; it gets one that is kept for it, and learns nothing of others.
  private func adopt(_ snapshot: KubernetesObject, _ name: String) async throws -> ReconcileResult {
    guard var content = caches.snapshotContents.get(name: name),
      SnapshotBinding.isMutual(snapshot, content) || SnapshotBinding.isKept(content, for: snapshot)
    else {
      return try await wait(
        snapshot,
        "no VolumeSnapshotContent \"\(name)\" is kept for it; an administrator makes one whose volumeSnapshotRef names this snapshot"
      )
    }
    guard content.spec["driver"].string == driverName else { return .done }
    guard SnapshotBinding.isKept(content, for: snapshot) else { return try await follow(snapshot, content) }
    if content.isBeingDeleted { return try await wait(snapshot, "VolumeSnapshotContent \"\(name)\" is being deleted") }
    let held = try await hold(snapshot)
    content.spec["volumeSnapshotRef"] = SnapshotBinding.reference(to: held)
    if !content.finalizers.contains(SnapshotBinding.contentFinalizer) {
      content.finalizers.append(SnapshotBinding.contentFinalizer)
    }
    return try await follow(held, try await client.update(content, as: .volumeSnapshotContents))
  }

  // MARK: Parts

  /// Tells in the snapshot what became of its content.
  private func follow(_ snapshot: KubernetesObject, _ content: KubernetesObject) async throws -> ReconcileResult {
    var changed = snapshot
    changed.status["boundVolumeSnapshotContentName"] = .string(content.name)
    guard SnapshotBinding.isMutual(changed, content) else {
      return try await fail(
        snapshot, "SnapshotContentMisbound", "VolumeSnapshotContent \"\(content.name)\" belongs to another snapshot")
    }
    let isReady = content.status["readyToUse"].bool == true && !content.isBeingDeleted
    changed.status["readyToUse"] = .bool(isReady)
    if let bytes = content.status["restoreSize"].int {
      changed.status["restoreSize"] = .string(Quantity(bytes: Int64(bytes)).description)
    }
    if let time = content.status["creationTime"].int {
      changed.status["creationTime"] = .string(Timestamp(microseconds: Int64(time) / 1000).description)
    }
    changed.status["error"] = content.status["error"]
    if content.status["error"].isNull { changed.status.remove("error") }
    try await client.applyStatus(changed, as: .volumeSnapshots, existing: snapshot)
    if isReady, snapshot.status["readyToUse"].bool != true {
      events.record(.normal, about: snapshot, reason: "SnapshotReady", message: "claims can be made from it")
    }
    return .done
  }

  /// Holds the snapshot until what is kept for it is let go.
  private func hold(_ snapshot: KubernetesObject) async throws -> KubernetesObject {
    guard !snapshot.finalizers.contains(SnapshotBinding.snapshotFinalizer) else { return snapshot }
    var held = snapshot
    held.finalizers.append(SnapshotBinding.snapshotFinalizer)
    return try await client.update(held, as: .volumeSnapshots)
  }

  /// What is missing leads back here when it comes.
  private func wait(_ snapshot: KubernetesObject, _ message: String) async throws -> ReconcileResult {
    try await fail(snapshot, "SnapshotPending", message)
  }

  private func fail(_ snapshot: KubernetesObject, _ reason: String, _ message: String) async throws -> ReconcileResult {
    events.record(.warning, about: snapshot, reason: reason, message: message)
    guard snapshot.status["error"]["message"].string != message || snapshot.status["readyToUse"].bool != false else {
      return .done
    }
    var changed = snapshot
    changed.status["readyToUse"] = false
    changed.status["error"] = ["time": .string(Timestamp.now.description), "message": .string(message)]
    try await client.applyStatus(changed, as: .volumeSnapshots, existing: snapshot)
    return .done
  }

  // MARK: Its end

  private func release(_ snapshot: KubernetesObject) async throws -> ReconcileResult {
    guard snapshot.finalizers.contains(SnapshotBinding.snapshotFinalizer) else { return .done }
    // The cache may not know the newest claims.
    let source = CacheIndex.key(of: .snapshot(snapshot.name), in: snapshot.namespace)
    let reader = try await client.list(.persistentVolumeClaims, namespace: snapshot.namespace).items.first {
      CacheIndex.sources.values($0) == [source] && $0.isBeingMade
    }
    if let reader {
      events.record(
        .normal, about: snapshot, reason: "SnapshotInUse",
        message: "persistentvolumeclaim \"\(reader.name)\" is being made from it; it goes after that")
      return .requeueAfter(.seconds(1))
    }
    let names = Set([SnapshotBinding.contentName(of: snapshot), SnapshotBinding.contentName(named: snapshot) ?? ""])
    for name in names.sorted() where !name.isEmpty {
      guard let content = try await client.getIfPresent(.volumeSnapshotContents, name: name),
        content.spec["volumeSnapshotRef"]["uid"].string == snapshot.uid, content.spec["driver"].string == driverName,
        content.spec["deletionPolicy"].string == "Delete"
      else { continue }
      if content.annotations[SnapshotBinding.beingDeleted] != "yes" {
        try await client.patch(
          .volumeSnapshotContents, name: name,
          ["metadata": ["uid": .string(content.uid), "annotations": [SnapshotBinding.beingDeleted: "yes"]]])
      }
      if !content.isBeingDeleted { try await client.delete(.volumeSnapshotContents, name: name, uid: content.uid) }
      // Its end leads back here.
      return .requeueAfter(.seconds(30))
    }
    var changed = snapshot
    changed.finalizers.removeAll { $0 == SnapshotBinding.snapshotFinalizer }
    do { try await client.update(changed, as: .volumeSnapshots) } catch let status as APIStatus where status.isNotFound
    {}
    return .done
  }
}
