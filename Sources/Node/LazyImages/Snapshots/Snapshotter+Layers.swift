import LayerStore
import LinuxSystem

extension Snapshotter {
  /// Makes the layer that is about to be unpacked a committed snapshot, if it needs no unpacking; returns if it does.
  ///
  /// For one chain ID and parent, one call at a time: whoever comes second finds what the first made.
  /// - Throws: `SnapshotError.layerExists` if it is one, and what forbids any snapshot of this key on this parent.
  func bindLayer(_ target: String, parent: String, key: String, labels: [String: String]) async throws {
    try await resolving.take("\(parent)\0\(target)") { [self] in
      let chain = try await BlockingWork.run { [records] in
        guard try records.find(key) == nil else { throw SnapshotError.alreadyExists(key) }
        let chain = parent.isEmpty ? [] : try records.chain(parent)
        guard try records.layerSnapshot(target: target, parent: parent) == nil else {
          throw SnapshotError.layerExists(chainID: target)
        }
        return chain
      }
      guard let request = LayerRequest(labels: labels) else { return }
      let layer = try await layers.resolve(request)
      try Task.checkCancellation()
      guard let layer else { return }
      try await binding.take(layer) { [self] in
        try await insert(layer, target, parent: parent, below: chain.first?.id, labels: labels)
      }
      // containerd finds it by its label and parent, so the answer may get lost: the next one is the same.
      throw SnapshotError.layerExists(chainID: target)
    }
  }

  private func insert(
    _ layer: LayerKey, _ target: String, parent: String, below: Int64?, labels: [String: String]
  ) async throws {
    let id = newNumber()
    defer { isRecorded(id) }
    let now = Moment.now
    try await BlockingWork.run { [records] in
      // The chain ID itself, unless a snapshot with another parent has that name.
      let isTaken = try records.find(target) != nil
      let info = SnapshotInfo(
        name: isTaken ? "\(target)-\(id)" : target, parent: parent, kind: .committed, created: now, updated: now,
        labels: labels)
      try records.insert(id, info, below: below, layer: layer)
    }
    logger.info(
      "a layer needs no unpacking", metadata: ["layer": "\(layer)", "chain_id": "\(target)", "snapshot": "\(id)"])
  }

  /// Mounts the layers below snapshots that containers may have, as after a restart of the machine, so that no container
  /// waits for it; and releases what was not released before this process began.
  func takeUpLayers() async {
    do {
      let (used, unused) = try await BlockingWork.run { [records] in
        (try records.layersInUse(), try records.unusedLayers())
      }
      if !unused.isEmpty { try await cleanUp() }
      await withTaskGroup(of: Void.self) { group in
        for lower in used {
          group.addTask { [self] in
            do { _ = try await reach([lower]) } catch is CancellationError {
            } catch {
              logger.error("a layer of a container can't be mounted", metadata: ["error": "\(error)"])
            }
          }
        }
      }
    } catch {
      logger.error("layers of containers can't be taken up", metadata: ["error": "\(error)"])
    }
  }
}
