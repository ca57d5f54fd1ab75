import LayerStore
import LinuxSystem

/// Chain IDs are an image's word. A layer is given only to those who name its blob, until it is known to be what its chain ID
/// stands for; what is known to be something else is refused to everybody.
extension Snapshotter {
  /// Looks at everything that is found out about layers.
  func judgeLayers() async {
    do {
      // What was found out before this process began.
      for layer in Set(try await onDisk { [records] in try records.openClaims().map(\.layer) }) {
        if let identity = await layers.identity(of: layer) { try await judge(layer, identity) }
      }
    } catch { logger.error("layers can't be judged", metadata: ["error": "\(error)"]) }
    for await layer in layers.identified {
      do { if let identity = await layers.identity(of: layer) { try await judge(layer, identity) } } catch {
        logger.error("a layer can't be judged", metadata: ["layer": "\(layer)", "error": "\(error)"])
      }
    }
  }

  /// Marks layers for whose chain ID somebody names another blob: nothing is made of them before they are proven.
  func contest(_ claims: [LayerClaim]) async throws {
    let contested = try await onDisk { [records] in
      var contested: [SnapshotRecords.Claim] = []
      for claim in claims {
        for found in try records.claims(on: claim.chain) where found.layer.blob != claim.blob {
          if found.standing == .unproven { try records.set(.contested, of: found.id) }
          if [.unproven, .contested].contains(found.standing) { contested.append(found) }
        }
      }
      return contested
    }
    for claim in contested {
      logger.notice(
        "a layer is proven before it is used: another image has another blob of its name",
        metadata: ["layer": "\(claim.layer)", "chain_id": "\(claim.chain)", "image": "\(claim.image)"])
      try await settle(claim.id, claim.layer)
    }
  }

  /// Whether anything may be made of a chain; contested layers are proven first.
  /// - Throws: `LayerRefused`, or what forbids the proof.
  func admit(_ chain: [SnapshotRecords.Lower]) async throws {
    for lower in chain {
      guard let layer = lower.layer else { continue }
      switch lower.standing {
      case .refused: throw LayerRefused(layer: layer.blob, reason: lower.refusal ?? "it is not what its image says")
      case .contested:
        try await settle(lower.id, layer)
        guard let now = try await onDisk({ [records] in try records.find(id: lower.id) }) else { continue }
        guard now.standing == .proven else {
          throw LayerRefused(layer: layer.blob, reason: now.refusal ?? "it is not what its image says")
        }
      case .unproven, .proven: break
      }
    }
  }

  private func settle(_ id: Int64, _ layer: LayerKey) async throws {
    let identity: LayerIdentity
    do { identity = try await layers.prove(layer) } catch is CancellationError { throw CancellationError() } catch {
      throw SnapshotError.layerUnproven(layer.description, reason: "\(error)")
    }
    try await judge(layer, identity)
  }

  /// Notes what a layer is for every chain ID that it was made for.
  private func judge(_ layer: LayerKey, _ identity: LayerIdentity) async throws {
    let claims = try await onDisk { [records] in try records.claims(of: layer) }
    for claim in claims where [.unproven, .contested].contains(claim.standing) {
      guard let objection = claim.objection(identity) else {
        try await onDisk { [records] in try records.set(.proven, of: claim.id) }
        continue
      }
      // A doubt is enough to keep it from others, not from its own image.
      guard claim.standing == .contested || claim.isRefuted(by: identity) else { continue }
      let users = try await onDisk { [records] in
        try records.set(.refused, of: claim.id, refusal: objection)
        return try records.users(of: claim.id)
      }
      let names = users.compactMap { $0.split(separator: "/").last }.joined(separator: ", ")
      await layers.note(
        layer, .refused(why: names.isEmpty ? objection : "\(objection); it is below \(names)"))
      logger.error(
        "layer refused",
        metadata: [
          "layer": "\(layer)", "chain_id": "\(claim.chain)", "image": "\(claim.image)", "reason": "\(objection)",
          "containers": "\(names)",
        ])
    }
  }
}
