import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What a claim's volume begins with: where it is, and that the claim may have it. Only what is in the claim's own namespace, and
/// bound from both sides, is ever found.
struct ClaimOrigin: Sendable, Hashable {
  enum Handle: Sendable, Hashable {
    /// The driver's names.
    case snapshot(String)
    case volume(String)
  }

  enum Finding: Sendable {
    case ready(ClaimOrigin)
    /// Why it cannot be made from that (now), for people.
    case obstacle(String)
  }

  let handle: Handle
  /// The node that has it.
  let node: String

  /// How objects are found: in caches, or by asking.
  struct Finder: Sendable {
    var snapshot: @Sendable (ObjectKey) async throws -> KubernetesObject?
    var content: @Sendable (String) async throws -> KubernetesObject?
    var claim: @Sendable (ObjectKey) async throws -> KubernetesObject?
    var volume: @Sendable (String) async throws -> KubernetesObject?
  }

  /// - Parameter driverName: the driver that is to make the volume.
  static func find(
    _ source: ClaimWishes.Source, for claim: KubernetesObject, driverName: String, _ finder: Finder
  ) async throws -> Finding {
    let key = ObjectKey(namespace: claim.namespace, name: source.name)
    return switch source {
    case .snapshot: try await ofSnapshot(key, for: claim, driverName, finder)
    case .claim: try await ofClaim(key, for: claim, driverName, finder)
    }
  }

  private static func ofSnapshot(
    _ key: ObjectKey, for claim: KubernetesObject, _ driverName: String, _ finder: Finder
  ) async throws -> Finding {
    guard let snapshot = try await finder.snapshot(key) else { return .obstacle("it does not exist (yet)") }
    if snapshot.isBeingDeleted { return .obstacle("it is being deleted") }
    guard let name = SnapshotBinding.contentName(named: snapshot), let content = try await finder.content(name),
      SnapshotBinding.isMutual(snapshot, content)
    else { return .obstacle("it is not bound to a VolumeSnapshotContent yet") }
    guard content.spec["driver"].string == driverName else {
      return .obstacle(
        "it is one of driver \(content.spec["driver"].string ?? ""), which has nothing that \(driverName) could read")
    }
    guard content.status["readyToUse"].bool == true, let handle = content.status["snapshotHandle"].string,
      !content.isBeingDeleted
    else { return .obstacle("it is not ready to use yet") }
    if let mode = content.spec["sourceVolumeMode"].string, mode != claim.volumeMode {
      return .obstacle(
        "it is of a volume with volumeMode \(mode), the claim says \(claim.volumeMode); ask for the same")
    }
    if let bytes = content.status["restoreSize"].int.map({ Int64($0) }), let refusal = tooSmall(claim, bytes) {
      return refusal
    }
    guard let node = content.labels[SnapshotBinding.nodeLabel], !node.isEmpty else {
      return .obstacle(
        "VolumeSnapshotContent \"\(name)\" does not say which node has it; label it \(SnapshotBinding.nodeLabel)=NODE")
    }
    return .ready(ClaimOrigin(handle: .snapshot(handle), node: node))
  }

  private static func ofClaim(
    _ key: ObjectKey, for claim: KubernetesObject, _ driverName: String, _ finder: Finder
  ) async throws -> Finding {
    guard key != claim.key else { return .obstacle("that is the claim itself") }
    guard let source = try await finder.claim(key) else { return .obstacle("it does not exist (yet)") }
    if source.isBeingDeleted { return .obstacle("it is being deleted") }
    guard source.phase == "Bound", let volume = try await finder.volume(source.spec["volumeName"].string ?? ""),
      VolumeBinding.isMutual(source, volume)
    else { return .obstacle("it is not bound to a volume yet") }
    guard volume.spec["csi"]["driver"].string == driverName, let handle = volume.spec["csi"]["volumeHandle"].string,
      let node = StorageAccess.node(of: volume)
    else { return .obstacle("its volume is not one of driver \(driverName); copy the data") }
    guard source.volumeMode == claim.volumeMode else {
      return .obstacle("its volumeMode is \(source.volumeMode), the claim says \(claim.volumeMode); ask for the same")
    }
    if let size = volume.volumeCapacity, let refusal = tooSmall(claim, size.value) { return refusal }
    return .ready(ClaimOrigin(handle: .volume(handle), node: node))
  }

  private static func tooSmall(_ claim: KubernetesObject, _ bytes: Int64) -> Finding? {
    guard let wanted = claim.requestedStorage, wanted.value < bytes else { return nil }
    return .obstacle("it has \(Quantity(bytes: bytes)), the claim asks for \(wanted); ask for at least as much")
  }
}
