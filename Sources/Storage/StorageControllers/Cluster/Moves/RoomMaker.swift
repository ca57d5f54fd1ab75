import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient
import PodScheduler

/// Makes room by moving volumes, for pods whose new volumes fit nowhere though the nodes together have the room.
///
/// Only where the classes of all that takes part say so (`StorageAccess.movesPolicy`): whoever uses a volume that moves stands still
/// for a moment. One pod at a time is helped, by one step of a plan; the next one is planned on the cluster as it is then.
struct RoomMaker: Sendable {
  let client: KubernetesClient
  let caches: StorageCaches
  let moves: ObjectCache
  let events: EventRecorder

  /// The label of a move that says for whom it makes room: the uid of the pod's controller, or of the pod. A pod that is made anew has had
  /// its moves.
  static let madeFor = "storage.nagaya.dev/makes-room-for"
  /// How long a pod must have waited: what a driver publishes, and the scheduler's next look, come first.
  private static let patience = Duration.seconds(3)
  /// Moves for one pod, at most: what is made for it may be taken by others.
  private static let maximumMoves = 6

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let pod = caches.pods.get(key), let since = Self.waitingSince(pod) else { return .done }
    let sizes = unbound(of: pod)
    guard !sizes.isEmpty, sizes.allSatisfy({ allows($0.storageClass) }) else { return .done }
    let all = moves.list().map(VolumeMove.init)
    let own = all.filter { $0.object.labels[Self.madeFor] == Self.beneficiary(pod) }
    // Others' moves change what is free, and have it changed already.
    if all.contains(where: { !$0.phase.isOver && $0.object.labels[Self.madeFor] != nil }) {
      return .requeueAfter(Self.patience)
    }
    let waited = Duration.seconds(clamping: Timestamp.now.seconds.clampedSubtracting(since.seconds))
    let last = own.compactMap { $0.object.status["completionTime"].string.flatMap(Timestamp.init) }.max()
    let rested =
      last.map { Duration.seconds(clamping: Timestamp.now.seconds.clampedSubtracting($0.seconds)) } ?? Self.patience
    guard waited >= Self.patience, rested >= Self.patience else { return .requeueAfter(.seconds(1)) }
    guard own.count < Self.maximumMoves else { return .done }
    let nodes = try await client.list(.nodes).items
    var plan = RoomPlan(
      RoomPlan.World(
        nodes: nodes, pods: caches.pods.list(), volumes: caches.volumes.list(), claims: caches.claims.list(),
        classes: caches.classes.list(), capacities: caches.capacities.list())
    ) { volume, claim in
      claim?.annotations[VolumeMove.consent] != "never"
        && caches.classes.get(name: volume.spec["storageClassName"].string ?? "").map(allows) == true
    }
    let steps = plan.room(for: pod, sizes: sizes)
    guard !steps.isEmpty else { return .requeueAfter(.seconds(15)) }
    for step in steps { try await begin(step, for: pod, number: own.count) }
    return .requeueAfter(Self.patience)
  }

  private func begin(_ step: RoomPlan.Step, for pod: KubernetesObject, number: Int) async throws {
    var move = KubernetesObject(
      .volumeMoves, name: "room-\(Self.beneficiary(pod).prefix(8))-\(number)-\(step.volume.suffix(12))",
      labels: [Self.madeFor: Self.beneficiary(pod)])
    move.spec = [
      "volumeName": .string(step.volume), "targetNode": .string(step.to),
      "reason": .string("makes room for the volumes of pod \(pod.key)"),
    ]
    let storageClass = caches.volumes.get(name: step.volume)?.spec["storageClassName"].string ?? ""
    move.spec.set(
      "bytesPerSecond",
      ifPresent: caches.classes.get(name: storageClass)?.annotations[StorageAccess.movesBandwidth]
        .flatMap(Quantity.init).map { .string($0.description) })
    do { try await client.create(move, as: .volumeMoves) } catch let status as APIStatus where status.isAlreadyExists {}
    // Whose volume it is is nobody's business.
    events.record(
      .normal, about: pod, reason: "MakingRoom",
      message:
        "a volume of \(Quantity(bytes: step.bytes)) moves from node \(step.from) to node \(step.to) (\(move.name)), after which its own may fit"
    )
  }

  private static func beneficiary(_ pod: KubernetesObject) -> String { pod.controller?.uid ?? pod.uid }

  private func allows(_ storageClass: KubernetesObject) -> Bool {
    storageClass.annotations[StorageAccess.movesPolicy] == "when-pending"
      && storageClass["provisioner"].string == StorageAccess.driverName
  }

  /// Since when the scheduler has found no node for it; `nil` if it has one, or was not looked at.
  private static func waitingSince(_ pod: KubernetesObject) -> Timestamp? {
    guard (pod.spec["nodeName"].string ?? "").isEmpty, !pod.isBeingDeleted, !pod.isPodEnded,
      let condition = pod.condition("PodScheduled"), condition["status"].string == "False",
      condition["reason"].string == "Unschedulable"
    else { return nil }
    return condition["lastTransitionTime"].string.flatMap(Timestamp.init)
  }

  /// The pod's volumes that are to be made; none if one of its claims is not known, or waits for something else.
  private func unbound(of pod: KubernetesObject) -> [(storageClass: KubernetesObject, bytes: Int64)] {
    var sizes: [(storageClass: KubernetesObject, bytes: Int64)] = []
    for key in pod.claimKeys {
      guard let claim = caches.claims.get(key), !claim.isBeingDeleted else { return [] }
      guard (claim.spec["volumeName"].string ?? "").isEmpty else { return [] }
      guard let storageClass = caches.classes.get(name: claim.storageClassName), let size = claim.requestedStorage,
        (try? ClaimWishes.check(claim, of: storageClass)) != nil
      else { return [] }
      sizes.append((storageClass, size.value))
    }
    return sizes
  }
}
