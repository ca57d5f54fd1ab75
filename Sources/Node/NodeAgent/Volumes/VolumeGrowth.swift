import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging

/// Grows the file systems of volumes that pods of this node have mounted, once the volumes below have grown (CSI 1.x,
/// `NodeExpandVolume`; what a kubelet does for claims with the condition `FileSystemResizePending`).
///
/// It watches the volumes that lie on this node; what has grown is looked at once more whenever a pod mounts it.
final class VolumeGrowth: Sendable {
  private let client: KubernetesClient
  private let volumes: VolumeMounts
  private let events: EventRecorder
  private let informer: Informer
  private let controller: Controller<ObjectKey>

  /// - Parameter label: what of volumes says on which node they lie.
  init(
    _ client: KubernetesClient, node: String, label: String, volumes: VolumeMounts, events: EventRecorder,
    logger: Logger
  ) {
    self.client = client
    self.volumes = volumes
    self.events = events
    let informer = Informer(
      client, .persistentVolumes, labels: LabelSelector(matchLabels: [label: node]), logger: logger)
    self.informer = informer
    controller = Controller<ObjectKey>(name: "volume-growth", of: informer, logger: logger) { key in
      guard let volume = informer.cache.get(key) else { return .done }
      return try await Self.grow(volume, client, volumes, events)
    }
  }

  func run() async throws {
    let controller = controller
    await volumes.whenPublished { controller.enqueue(ObjectKey(name: $0)) }
    try await ServiceSet([informer, controller]).run()
  }

  /// - Returns: `nil` as well where no pod of this node has it any more: its own is ending then.
  private static func claim(_ name: String, _ namespace: String, _ client: KubernetesClient) async throws
    -> KubernetesObject?
  {
    do { return try await client.getIfPresent(.persistentVolumeClaims, namespace: namespace, name: name) } catch let
      status as APIStatus where status.reason == .forbidden
    { return nil }
  }

  private static func grow(
    _ volume: KubernetesObject, _ client: KubernetesClient, _ volumes: VolumeMounts, _ events: EventRecorder
  ) async throws -> ReconcileResult {
    let owner = volume.spec["claimRef"]
    guard let size = volume.spec["capacity"]["storage"].string.flatMap(Quantity.init),
      let namespace = owner["namespace"].string, let name = owner["name"].string,
      await volumes.isMounted(name: volume.name),
      let claim = try await Self.claim(name, namespace, client), VolumeBinding.isMutual(claim, volume),
      let present = claim.status["capacity"]["storage"].string.flatMap(Quantity.init), present < size
    else { return .done }
    do {
      guard try await volumes.expand(name: volume.name, to: size.value) else { return .done }
    } catch let error as RPCError {
      events.record(.warning, about: claim, reason: "FileSystemResizeFailed", message: error.message)
      return .requeueAfter(.seconds(30))
    }
    var changed = claim
    changed.removeCondition("FileSystemResizePending")
    changed.status["capacity"]["storage"] = .string(size.description)
    try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    events.record(
      .normal, about: claim, reason: "FileSystemResizeSuccessful", message: "grown from \(present) to \(size)")
    return .done
  }
}
