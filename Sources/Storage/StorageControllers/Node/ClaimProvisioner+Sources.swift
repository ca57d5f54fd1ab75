import KubernetesAPI
import KubernetesClient

extension ClaimProvisioner {
  /// What a claim's volume is to begin with, asked for now: it may belong to somebody else by now, or be gone.
  /// - Returns: `nil` if it begins empty.
  func origin(of claim: KubernetesObject) async throws -> ClaimOrigin.Finding? {
    guard let source = try? ClaimWishes.source(of: claim) else { return nil }
    let client = client
    let finder = ClaimOrigin.Finder(
      snapshot: { try await client.getIfPresent(.volumeSnapshots, namespace: $0.namespace, name: $0.name) },
      content: { try await client.getIfPresent(.volumeSnapshotContents, name: $0) },
      claim: { try await client.getIfPresent(.persistentVolumeClaims, namespace: $0.namespace, name: $0.name) },
      volume: { $0.isEmpty ? nil : try await client.getIfPresent(.persistentVolumes, name: $0) })
    let finding = try await ClaimOrigin.find(source, for: claim, driverName: driverName, finder)
    if case .ready(let origin) = finding, origin.node != caches.node.id {
      return .obstacle("node \(origin.node) has it, not \(caches.node.id)")
    }
    return finding
  }

  func sourceObstacle(of claim: KubernetesObject) async throws -> String? {
    if case .obstacle(let why) = try await origin(of: claim) { return why }
    return nil
  }

  /// The claim is given back: whoever gave it here looks again.
  func waitForSource(_ claim: KubernetesObject, _ why: String) async throws -> ReconcileResult {
    let source = (try? ClaimWishes.source(of: claim)).map { "\($0)" } ?? "its source"
    events.record(
      .warning, about: claim, reason: "ProvisioningFailed", message: "cannot be made from \(source): \(why)")
    var back = released(claim)
    back.annotations[StorageNames.selectedNode] = nil
    try await client.update(back, as: .persistentVolumeClaims)
    return .done
  }
}
