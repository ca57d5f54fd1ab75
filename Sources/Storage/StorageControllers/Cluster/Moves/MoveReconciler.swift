import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Takes a volume's move from phase to phase. What is done on a node, that node does; here is decided when.
///
/// Until the PersistentVolume says that the volume lies on the target, everything can be taken back, and the source has all of
/// it; from then on the move is finished.
struct MoveReconciler: Sendable {
  let driverName: String
  let client: KubernetesClient
  let caches: StorageCaches
  let moves: ObjectCache
  let events: EventRecorder

  /// How often is looked at what nothing tells of: nodes that go.
  private static let patience = Duration.seconds(15)

  func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
    guard let object = moves.get(key) else { return .done }
    let move = VolumeMove(object)
    if object.isBeingDeleted, !object.finalizers.contains(VolumeMove.finalizer) { return .done }
    if object.isBeingDeleted {
      switch move.phase {
      case .pending, .succeeded, .failed: return try await letGo(move)
      case .preparing, .copying, .switching: return try await abort(move, "it was deleted")
      case .cleaning, .aborting: break
      }
    }
    switch move.phase {
    case .pending: return try await begin(move)
    case .preparing: return try await prepare(move)
    case .copying: return try await copy(move)
    case .switching: return try await `switch`(move)
    case .cleaning: return try await clean(move)
    case .aborting: return try await takeBack(move)
    case .succeeded, .failed: return .done
    }
  }

  // MARK: Steps

  private func begin(_ move: VolumeMove) async throws -> ReconcileResult {
    if !move.object.finalizers.contains(VolumeMove.finalizer) {
      var held = move.object
      held.finalizers.append(VolumeMove.finalizer)
      try await client.update(held, as: .volumeMoves)
      return .done
    }
    func refuse(_ reason: String) async throws -> ReconcileResult {
      try await write(move, .failed) {
        $0["message"] = .string(reason)
        $0["completionTime"] = Self.now
      }
      return .done
    }
    guard let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName) else {
      return try await refuse("volume \(move.volumeName) does not exist; nagaya get volumes shows what there is")
    }
    guard volume.spec["csi"]["driver"].string == driverName, let handle = volume.spec["csi"]["volumeHandle"].string,
      let source = volume.volumeNode(by: StorageAccess.nodeLabel)
    else { return try await refuse("volume \(volume.name) is none of driver \(driverName) on one node") }
    guard source != move.targetNode else { return try await refuse("volume \(volume.name) is on node \(source)") }
    guard let node = try await client.getIfPresent(.nodes, name: move.targetNode) else {
      return try await refuse("node \(move.targetNode) does not exist; nagaya get nodes shows what there is")
    }
    guard node.spec["unschedulable"].bool != true else {
      return try await refuse("node \(node.name) is cordoned: nothing new goes there")
    }
    if let claim = volume.claimKey.flatMap({ caches.claims.get($0) }),
      claim.annotations[VolumeMove.consent] == "never"
    {
      return try await refuse(
        "claim \(claim.key) says \(VolumeMove.consent)=never: ask its owner")
    }
    if let other = volume.annotations[VolumeMove.annotation], other != move.object.name {
      if let present = try await client.getIfPresent(.volumeMoves, name: other), !VolumeMove(present).phase.isOver {
        try await write(move, .pending) { $0["message"] = .string("volume \(volume.name) is being moved by \(other)") }
        return .requeueAfter(.seconds(2))
      }
    }
    if let claim = volume.claimKey.flatMap({ caches.claims.get($0) }), RoomPlan.isEphemeral(claim) {
      return try await refuse("claim \(claim.key) ends with its pod, and its data with it: it can't move")
    }
    if let missing = companion(of: volume, move, isCopied: false) {
      guard Self.age(move.object.metadata["creationTimestamp"]) < Self.answerSeconds else {
        return try await refuse(missing.words)
      }
      try await write(move, .pending) { $0["message"] = .string(missing.words) }
      return .requeueAfter(.seconds(1))
    }
    if volume.annotations[VolumeMove.annotation] != move.object.name {
      var taken = volume
      taken.annotations[VolumeMove.annotation] = move.object.name
      try await client.update(taken, as: .persistentVolumes)
    }
    try await write(move, .preparing) {
      $0["sourceNode"] = .string(source)
      $0["volumeHandle"] = .string(handle)
      $0["bytes"] = .integer(volume.volumeCapacity?.value ?? 0)
      $0["startTime"] = Self.now
      $0["message"] = .string("waiting for node \(move.targetNode) to make room")
    }
    return .requeueAfter(Self.patience)
  }

  private func prepare(_ move: VolumeMove) async throws -> ReconcileResult {
    if let end = try await lost(move) { return end }
    switch move.targetState {
    case .refused:
      return try await abort(
        move, "node \(move.targetNode) can't have it: \(move.target["message"].string ?? "no reason given")")
    case .ready:
      try await write(move, .copying) { $0["message"] = .string("copying; its pods go on") }
      return .requeueAfter(Self.patience)
    case .served, .released, nil:
      guard Self.age(move.object.status["startTime"]) >= Self.answerSeconds else { return .requeueAfter(Self.patience) }
      let silent = move.source["fingerprint"].string == nil ? move.sourceNode : move.targetNode
      return try await abort(
        move, "node \(silent) does not answer: its storage is away, or runs without --transfer-address")
    }
  }

  private func copy(_ move: VolumeMove) async throws -> ReconcileResult {
    if let end = try await lost(move) { return end }
    guard move.sourceState == .copied else { return .requeueAfter(Self.patience) }
    guard let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName) else {
      return try await abort(move, "volume \(move.volumeName) is gone")
    }
    // What a pod uses together is switched together, or not at all.
    if let missing = companion(of: volume, move, isCopied: true) {
      return missing.isOnItsWay ? .requeueAfter(.seconds(1)) : try await abort(move, missing.words)
    }
    if volume.annotations[VolumeMove.switching] != move.targetNode {
      var held = volume
      held.annotations[VolumeMove.switching] = move.targetNode
      try await client.update(held, as: .persistentVolumes)
    }
    try await write(move, .switching) {
      $0["stopTime"] = Self.now
      $0["message"] = .string("its pods end, to start again on node \(move.targetNode)")
    }
    return .requeueAfter(.zero)
  }

  private func `switch`(_ move: VolumeMove) async throws -> ReconcileResult {
    guard let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName) else {
      return try await abort(move, "volume \(move.volumeName) is gone")
    }
    guard move.sourceState == .verified || volume.volumeNode(by: StorageAccess.nodeLabel) == move.targetNode else {
      if let end = try await lost(move) { return end }
      try await endPods(of: volume, move)
      return .requeueAfter(.seconds(1))
    }
    try await place(volume, on: move.targetNode)
    try await write(move, .cleaning) {
      $0["switchTime"] = Self.now
      $0["checksum"] = move.source["checksum"]
      $0["message"] = .string("the volume is on node \(move.targetNode); node \(move.sourceNode) deletes its own")
    }
    return .requeueAfter(Self.patience)
  }

  private func clean(_ move: VolumeMove) async throws -> ReconcileResult {
    guard move.targetState == .served else {
      guard try await client.getIfPresent(.nodes, name: move.targetNode) == nil,
        let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName)
      else { return .requeueAfter(Self.patience) }
      // The target is gone before it served anything: the source still has all.
      try await place(volume, on: move.sourceNode)
      try await write(move, .aborting) { $0["message"] = .string("node \(move.targetNode) is gone") }
      return .requeueAfter(.zero)
    }
    if move.sourceState != .deleted {
      guard try await client.getIfPresent(.nodes, name: move.sourceNode) == nil else {
        return .requeueAfter(Self.patience)
      }
    }
    try await release(move)
    try await write(move, .succeeded) {
      $0["completionTime"] = Self.now
      $0["message"] = .string("moved from node \(move.sourceNode) to node \(move.targetNode)")
    }
    if let volume = caches.volumes.get(name: move.volumeName), let key = volume.claimKey,
      let claim = caches.claims.get(key)
    {
      events.record(
        .normal, about: claim, reason: "VolumeMoved",
        message: "volume \(volume.name) moved from node \(move.sourceNode) to node \(move.targetNode)")
    }
    return move.object.isBeingDeleted ? .requeueAfter(.zero) : .done
  }

  /// Both nodes have gone back, or are no more. One that never said a word has nothing to take back, or does it when it sees the end.
  private func takeBack(_ move: VolumeMove) async throws -> ReconcileResult {
    if let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName),
      volume.volumeNode(by: StorageAccess.nodeLabel) == move.targetNode
    {
      return try await `switch`(move)
    }
    for (node, isBack) in [
      (move.sourceNode, move.sourceState == .released || move.source.isNull),
      (move.targetNode, move.targetState == .released || move.target.isNull),
    ] where !isBack && !node.isEmpty {
      guard try await client.getIfPresent(.nodes, name: node) == nil else { return .requeueAfter(Self.patience) }
    }
    try await release(move)
    try await write(move, .failed) { $0["completionTime"] = Self.now }
    return move.object.isBeingDeleted ? .requeueAfter(.zero) : .done
  }

  // MARK: Parts

  /// A pod's volumes lie on one node: what else its pods use must be on its way to the same one.
  /// - Returns: what is missing, for people.
  /// - Parameter isCopied: and as far as this one.
  private func companion(of volume: KubernetesObject, _ move: VolumeMove, isCopied: Bool) -> (
    words: String, isOnItsWay: Bool
  )? {
    guard let claim = volume.claimKey else { return nil }
    for pod in caches.pods.list(by: .claims, claim.description) where !pod.isPodEnded {
      for key in pod.claimKeys where key != claim {
        guard let name = caches.claims.get(key)?.spec["volumeName"].string, let other = caches.volumes.get(name: name),
          other.spec["csi"]["driver"].string == driverName
        else { continue }
        if other.volumeNode(by: StorageAccess.nodeLabel) == move.targetNode { continue }
        let others = moves.list().map(VolumeMove.init).filter {
          $0.volumeName == name && $0.targetNode == move.targetNode && !$0.phase.isOver && $0.phase != .aborting
        }
        let hasCome = others.contains { !isCopied || $0.phase == .switching || $0.sourceState == .copied }
        if !hasCome {
          return (
            "pod \(pod.key) uses volume \(name), too: move that one to node \(move.targetNode) as well", !others.isEmpty
          )
        }
      }
    }
    return nil
  }

  /// Ends the pods that use the volume, if something starts them again.
  private func endPods(of volume: KubernetesObject, _ move: VolumeMove) async throws {
    guard let claim = volume.claimKey else { return }
    var waiting: [String] = []
    for pod in caches.pods.list(by: .claims, claim.description) where !pod.isPodEnded {
      // Those without a node wait until it has moved.
      if pod.isBeingDeleted || (pod.spec["nodeName"].string ?? "").isEmpty { continue }
      guard pod.controller != nil else {
        waiting.append(pod.key.description)
        continue
      }
      events.record(
        .normal, about: pod, reason: "VolumeMoves",
        message: "ends, because its volume \(volume.name) moves to node \(move.targetNode)")
      do {
        try await client.delete(.pods, namespace: pod.namespace, name: pod.name, uid: pod.uid)
      } catch let status as APIStatus where status.isNotFound || status.isConflict {}
    }
    guard !waiting.isEmpty else { return }
    try await write(move, .switching) {
      $0["message"] = .string(
        "waiting for \(waiting.sorted().joined(separator: ", ")), which nothing would start again: delete it, or this move"
      )
    }
  }

  /// Writes where the volume lies.
  private func place(_ volume: KubernetesObject, on node: String) async throws {
    var placed = volume
    placed.labels[StorageAccess.nodeLabel] = node
    placed.spec["nodeAffinity"] = [
      "required": [
        "nodeSelectorTerms": [
          [
            "matchExpressions": [
              ["key": .string(StorageAccess.nodeLabel), "operator": "In", "values": [.string(node)]]
            ]
          ]
        ]
      ]
    ]
    placed.annotations[VolumeMove.switching] = nil
    if placed != volume { try await client.update(placed, as: .persistentVolumes) }
  }

  /// Seconds in which a node must say something; as long a target may be away before its move is taken back.
  private static let answerSeconds: Int64 = 90

  /// Seconds since an instant; 0 if it is none.
  private static func age(_ time: JSONValue) -> Int64 {
    time.string.flatMap(Timestamp.init).map { Timestamp.now.seconds.clampedSubtracting($0.seconds) } ?? 0
  }

  /// A node that is gone for good ends the move, and so does a target that is away for long: pods may wait for it.
  private func lost(_ move: VolumeMove) async throws -> ReconcileResult? {
    for node in [move.sourceNode, move.targetNode] {
      guard let present = try await client.getIfPresent(.nodes, name: node) else {
        return try await abort(move, "node \(node) is gone")
      }
      if node == move.targetNode, let ready = present.condition("Ready"), ready["status"].string != "True",
        Self.age(ready["lastTransitionTime"]) >= Self.answerSeconds
      {
        return try await abort(move, "node \(node) is not ready")
      }
    }
    guard try await client.getIfPresent(.persistentVolumes, name: move.volumeName) != nil else {
      return try await abort(move, "volume \(move.volumeName) is gone")
    }
    return nil
  }

  private func abort(_ move: VolumeMove, _ reason: String) async throws -> ReconcileResult {
    if var volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName) {
      // What was switched is finished.
      if volume.volumeNode(by: StorageAccess.nodeLabel) == move.targetNode { return try await `switch`(move) }
      // This write fences off one of an earlier try that may still be under way.
      if volume.annotations[VolumeMove.switching] != nil {
        volume.annotations[VolumeMove.switching] = nil
        try await client.update(volume, as: .persistentVolumes)
      }
    }
    try await write(move, .aborting) { $0["message"] = .string(reason) }
    return .requeueAfter(.zero)
  }

  /// The volume is nobody's any more.
  private func release(_ move: VolumeMove) async throws {
    guard let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName),
      volume.annotations[VolumeMove.annotation] == move.object.name
    else { return }
    var free = volume
    free.annotations[VolumeMove.annotation] = nil
    free.annotations[VolumeMove.switching] = nil
    try await client.update(free, as: .persistentVolumes)
  }

  private func letGo(_ move: VolumeMove) async throws -> ReconcileResult {
    try await release(move)
    var free = move.object
    free.finalizers.removeAll { $0 == VolumeMove.finalizer }
    do { try await client.update(free, as: .volumeMoves) } catch let status as APIStatus where status.isNotFound {}
    return .done
  }

  private func write(_ move: VolumeMove, _ phase: VolumeMove.Phase, _ change: (inout JSONValue) -> Void) async throws {
    var changed = move.object
    changed.status["phase"] = .string(phase.rawValue)
    change(&changed.status)
    changed.status["observedGeneration"] = changed.metadata["generation"]
    try await client.applyStatus(changed, as: .volumeMoves, existing: move.object)
  }

  private static var now: JSONValue { .string(Timestamp.now.description) }
}
