import LayerStore
import LinuxSystem

extension Snapshotter {
  /// Makes the layer that is about to be unpacked a committed snapshot, if it needs no unpacking; returns if it does.
  ///
  /// For one chain ID and parent, one call at a time: whoever comes second finds what the first made.
  /// - Throws: `SnapshotError.layerExists` if it is one, and what forbids any snapshot of this key on this parent.
  func bindLayer(_ target: String, parent: String, key: String, labels: [String: String]) async throws {
    try await resolving.take("\(parent)\0\(target)") { [self] in
      let (chain, found) = try await onDisk { [records] in
        guard try records.find(key) == nil else { throw SnapshotError.alreadyExists(key) }
        let chain = parent.isEmpty ? [] : try records.chain(parent)
        return (chain, try records.layerSnapshot(target: target, parent: parent))
      }
      try await admit(chain)
      let request = LayerRequest(labels: labels)
      if let found {
        // A chain ID is an image's word. Who names the same blob gets what that image gets; for others containerd unpacks
        // theirs, and compares.
        if found.standing == .proven || request?.layer == found.layer?.blob {
          throw SnapshotError.layerExists(chainID: target)
        }
        logger.notice(
          "a layer is unpacked: another image has another blob of its name",
          metadata: ["chain_id": "\(target)", "layer": "\(request?.layer.description ?? "unknown")"])
        return
      }
      guard let request else { return }
      let layer = try await layers.resolve(request)
      try Task.checkCancellation()
      guard let layer else { return }
      if chain.isEmpty, try await layers.traits(of: layer).hidesFiles {
        // There is nothing that they could hide: containerd leaves such marks out.
        return await layers.note(layer, .unpacked(why: "it is the lowest layer, and hides files of layers below"))
      }
      try await binding.take(layer) { [self] in
        try await insert(layer, target, parent: parent, on: chain, labels: labels)
      }
      // containerd finds it by its label and parent, so the answer may get lost: the next one is the same.
      throw SnapshotError.layerExists(chainID: target)
    }
  }

  private func insert(
    _ layer: LayerKey, _ target: String, parent: String, on chain: [SnapshotRecords.Lower], labels: [String: String]
  ) async throws {
    let id = newNumber()
    defer { isRecorded(id) }
    let below = chain.first?.id
    try await adoptAttributes(id, layer, on: chain)
    let now = Moment.now
    let identity = await layers.identity(of: layer)
    try await onDisk { [records] in
      // The chain ID itself, unless a snapshot with another parent has that name.
      let isTaken = try records.find(target) != nil
      let info = SnapshotInfo(
        name: isTaken ? "\(target)-\(id)" : target, parent: parent, kind: .committed, created: now, updated: now,
        labels: labels)
      try records.insert(id, info, below: below, layer: layer)
      guard let identity, let claim = try records.claim(of: id) else { return }
      if claim.objection(identity) == nil { return try records.set(.proven, of: id) }
      guard claim.isRefuted(by: identity) else { return }
      // As containerd does with what it unpacks: the image is at fault.
      _ = try records.remove(info.name)
      throw LayerRefused(
        layer: layer.blob,
        reason: "the image's configuration names other content than it holds (diff ID \(identity.diffID))")
    }
    logger.info(
      "a layer needs no unpacking", metadata: ["layer": "\(layer)", "chain_id": "\(target)", "snapshot": "\(id)"])
  }

  /// Gives directories that a layer only implies, or describes late, what containerd gives them of the layers below.
  private func adoptAttributes(_ id: Int64, _ layer: LayerKey, on chain: [SnapshotRecords.Lower]) async throws {
    guard !chain.isEmpty else { return }
    let traits = try await layers.traits(of: layer)
    guard !traits.impliedDirectories.isEmpty || !traits.lateDirectories.isEmpty else { return }
    let files = try await layers.mount(layer)
    let mounted = try await reach(chain)
    try await onDisk { [directories] in
      let lowers = chain.flatMap { lower in
        (directories.hasAttributes(lower.id) ? [directories.attributes(lower.id)] : [])
          + [mounted[lower.id] ?? directories.files(lower.id)]
      }
      do {
        try directories.adoptAttributes(id, of: files, traits, below: lowers)
      } catch {
        try? directories.remove(id)
        throw error
      }
    }
  }

  /// Mounts the layers below snapshots that containers may have, as after a restart of the machine, so that no container
  /// waits for it; and releases what was not released before this process began.
  func takeUpLayers() async {
    do {
      let (used, unused) = try await onDisk { [records] in
        (try records.layersInUse(), try records.unusedLayers())
      }
      if !unused.isEmpty { try await cleanUp() }
      await withTaskGroup(of: Void.self) { group in
        for lower in used {
          group.addTask { [self] in
            do { _ = try await reach([lower]) } catch is CancellationError where Task.isCancelled {
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
