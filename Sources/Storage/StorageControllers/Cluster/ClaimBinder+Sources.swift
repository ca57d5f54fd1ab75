import JSONDocument
import KubernetesAPI
import KubernetesClient

extension ClaimBinder {
  /// Where what a claim is made from is.
  enum SourcePlace {
    /// It begins empty.
    case anywhere
    case on(String)
    case unknown

    var node: String? { if case .on(let node) = self { node } else { nil } }
  }

  /// Finds what a claim is made from, and tells the scheduler by an annotation which node has it. One that cannot be made (yet)
  /// says why; what is missing leads back here when it comes.
  func sourcePlace(of claim: KubernetesObject) async throws -> SourcePlace {
    guard let source = try? ClaimWishes.source(of: claim) else { return .anywhere }
    let caches = caches
    let finder = ClaimOrigin.Finder(
      snapshot: { caches.snapshots.get($0) }, content: { caches.snapshotContents.get(name: $0) },
      claim: { caches.claims.get($0) }, volume: { caches.volumes.get(name: $0) })
    let place: SourcePlace
    switch try await ClaimOrigin.find(source, for: claim, driverName: driverName, finder) {
    case .ready(let origin): place = .on(origin.node)
    case .obstacle(let why):
      events.record(
        .warning, about: claim, reason: "ProvisioningFailed", message: "cannot be made from \(source): \(why)")
      place = .unknown
    }
    var annotations: [String: JSONValue] = [:]
    if claim.annotations[ClaimWishes.sourceNode] != place.node {
      annotations[ClaimWishes.sourceNode] = place.node.map { .string($0) } ?? .null
    }
    // Given to a node that does not have it, by somebody who did not know: another one is looked for.
    let selected = claim.annotations[StorageNames.selectedNode]
    if let node = place.node, let selected, selected != node, !claim.isBeingMade {
      annotations[StorageNames.selectedNode] = .null
    }
    if !annotations.isEmpty {
      try await client.patch(
        .persistentVolumeClaims, namespace: claim.namespace, name: claim.name,
        ["metadata": ["uid": .string(claim.uid), "annotations": .object(annotations)]])
    }
    return place
  }

  /// Whether a volume is being made from a claim's now, or a snapshot taken of it.
  func isBeingRead(_ claim: KubernetesObject) async throws -> Bool {
    let source = CacheIndex.key(of: .claim(claim.name), in: claim.namespace)
    let isCloned = caches.claims.list(by: .sources, source).contains(where: \.isBeingMade)
    let isKept = caches.snapshots.list(by: .snapshotClaims, claim.key.description).contains { snapshot in
      guard !snapshot.isBeingDeleted,
        let content = caches.snapshotContents.get(name: SnapshotBinding.contentName(of: snapshot)),
        SnapshotBinding.isMutual(snapshot, content)
      else { return false }
      // One that failed is tried again, but nobody waits for it.
      return content.status["readyToUse"].bool != true && content.status["error"].isNull
    }
    return isCloned || isKept
  }
}
