import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Takes the snapshots of volumes on this node and deletes them: what upstream's sidecar does for contents that carry the node's
/// label. The content is the record of what is under way: what ends between two steps goes on.
struct SnapshotTaker: Sendable {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  /// Of this node.
  let contents: ObjectCache
  let events: EventRecorder
  let capacityChanged: @Sendable () -> Void

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let content = contents.get(key), content.spec["driver"].string == driverName else { return .done }
    if content.isBeingDeleted { return try await end(content) }
    if content.status["readyToUse"].bool == true { return .done }
    let source = content.spec["source"]
    let isThere = source["snapshotHandle"].string != nil
    guard isThere || content.finalizers.contains(SnapshotBinding.contentFinalizer) else {
      return try await hold(content)
    }
    let found: VolumeDriver.Snapshot?
    do throws(VolumeDriver.Refusal) { found = try await snapshot(of: content) } catch {
      return try await fail(content, "\(error)", after: error.kind == .passing ? .seconds(5) : .seconds(60))
    }
    guard let taken = found else {
      return try await fail(
        content, "the driver has no snapshot \"\(source["snapshotHandle"].string ?? "")\" on this node",
        after: .seconds(60))
    }
    capacityChanged()
    var changed = content
    changed.status = [
      "snapshotHandle": .string(taken.id), "creationTime": .integer(taken.takenAt),
      "restoreSize": .integer(taken.bytes),
      "readyToUse": true,
    ]
    try await client.applyStatus(changed, as: .volumeSnapshotContents, existing: content)
    return .done
  }

  /// Takes it, or finds the one that is named.
  private func snapshot(of content: KubernetesObject) async throws(VolumeDriver.Refusal) -> VolumeDriver.Snapshot? {
    if let id = content.spec["source"]["snapshotHandle"].string { return try await driver.snapshot(id) }
    guard let name = SnapshotBinding.driverName(of: content), let volume = content.spec["source"]["volumeHandle"].string
    else {
      throw VolumeDriver.Refusal(
        kind: .invalid, description: "its volumeSnapshotRef names no VolumeSnapshot that exists")
    }
    return try await driver.takeSnapshot(name, of: volume)
  }

  /// Its write leads back here.
  private func hold(_ content: KubernetesObject) async throws -> ReconcileResult {
    var held = content
    held.finalizers.append(SnapshotBinding.contentFinalizer)
    try await client.update(held, as: .volumeSnapshotContents)
    return .done
  }

  private func fail(_ content: KubernetesObject, _ message: String, after delay: Duration) async throws
    -> ReconcileResult
  {
    events.record(.warning, about: content, reason: "SnapshotCreationFailed", message: message)
    if content.status["error"]["message"].string != message {
      var changed = content
      changed.status["readyToUse"] = false
      changed.status["error"] = ["time": .string(Timestamp.now.description), "message": .string(message)]
      try await client.applyStatus(changed, as: .volumeSnapshotContents, existing: content)
    }
    return .requeueAfter(delay)
  }

  /// Deletes what a content stands for, if its policy says so and its snapshot goes, and lets it go.
  private func end(_ content: KubernetesObject) async throws -> ReconcileResult {
    guard content.finalizers.contains(SnapshotBinding.contentFinalizer) else { return .done }
    let isBound = !(content.spec["volumeSnapshotRef"]["uid"].string ?? "").isEmpty
    if content.spec["deletionPolicy"].string == "Delete" {
      // Somebody's snapshot is still there: it stays good until that goes.
      guard !isBound || content.annotations[SnapshotBinding.beingDeleted] == "yes" else { return .done }
      let id =
        content.status["snapshotHandle"].string ?? content.spec["source"]["snapshotHandle"].string
        ?? SnapshotBinding.driverName(of: content)
      if let id {
        do throws(VolumeDriver.Refusal) { try await driver.deleteSnapshot(id) } catch {
          events.record(.warning, about: content, reason: "SnapshotDeletionFailed", message: "\(error)")
          return .requeueAfter(.seconds(2))
        }
        capacityChanged()
      }
    }
    var changed = content
    changed.finalizers.removeAll { $0 == SnapshotBinding.contentFinalizer }
    do { try await client.update(changed, as: .volumeSnapshotContents) } catch let status as APIStatus
      where status.isNotFound
    {}
    return .done
  }
}
