import JSONDocument
import KubernetesAPI
public import KubernetesClient
public import Logging
public import ServiceLifecycle
public import VolumePools
public import VolumeTransfer

/// What this node does for moves of volumes from it and to it.
public struct NodeVolumeMoves: Service {
  /// Where this node is, and what it has.
  public struct Place: Sendable {
    public var node: String
    /// The label that names the node in a volume's affinity.
    public var nodeLabel: String
    /// Under which key a volume's attributes name its pool.
    public var poolAttribute: String
    /// The pool of volumes that name none.
    public var defaultPool: String
    /// The host at which other nodes reach it.
    public var address: String

    public init(
      node: String, nodeLabel: String, poolAttribute: String, defaultPool: String = "default", address: String
    ) {
      self.node = node
      self.nodeLabel = nodeLabel
      self.poolAttribute = poolAttribute
      self.defaultPool = defaultPool
      self.address = address
    }
  }

  let client: KubernetesClient
  let place: Place
  let pools: [String: any VolumeBackend]
  private let receiver: TransferReceiver
  private let sender: TransferSender
  let capacityChanged: @Sendable () -> Void
  let logger: Logger
  private let copies = CopyTasks()

  /// Rounds while the volume is in use, at most; each has less to copy than the one before, or there is no end.
  private static let rounds = 4
  /// What may be left for the time in which the volume is not in use.
  private static let littleBytes: Int64 = 64 << 20
  private static let patience = Duration.seconds(2)

  /// - Parameter capacityChanged: called when there is more room, or less.
  public init(
    client: KubernetesClient, place: Place, pools: [any VolumeBackend], receiver: TransferReceiver,
    capacityChanged: @escaping @Sendable () -> Void, logger: Logger
  ) {
    self.client = client
    self.place = place
    self.pools = Dictionary(pools.map { ($0.poolName, $0) }, uniquingKeysWith: { first, _ in first })
    self.receiver = receiver
    sender = TransferSender(identity: receiver.identity)
    self.capacityChanged = capacityChanged
    self.logger = logger
  }

  public func run() async throws {
    let moves = Informer(client, .volumeMoves, logger: logger)
    let cache = moves.cache
    let controller = Controller<ObjectKey>(name: "node-moves", workers: 4, of: moves, logger: logger) { key in
      guard let object = cache.get(key) else { return .done }
      let move = VolumeMove(object)
      if move.phase.isOver {
        let isWanted = cache.list().map(VolumeMove.init).contains { $0.handle == move.handle && !$0.phase.isOver }
        if !isWanted { try await tidy(move) }
      }
      return try await reconcile(move)
    }
    moves.onEvent { event in
      // One that was removed by force: nothing goes on for it.
      guard case .deleted(let object) = event else { return }
      Task {
        await copies.end(object.uid)
        await receiver.forget(move: object.uid)
      }
    }
    do {
      try await ServiceSet([moves, controller, Leftovers(moves: moves, body: removeLeftovers)]).run()
    } catch {
      await end()
      throw error
    }
    await end()
  }

  private func end() async {
    await copies.endAll()
    await receiver.shutDown()
  }

  private func reconcile(_ move: VolumeMove) async throws -> ReconcileResult {
    if move.sourceNode == place.node { return try await source(move) }
    if move.targetNode == place.node, !move.sourceNode.isEmpty { return try await target(move) }
    return .done
  }

  // MARK: Target

  private func target(_ move: VolumeMove) async throws -> ReconcileResult {
    switch move.phase {
    case .pending: return .done
    case .preparing, .copying, .switching: return try await receive(move)
    case .cleaning:
      await receiver.forget(move: move.object.uid)
      guard move.targetState != .served else { return .done }
      // Whoever wrote the phase had the volume's place written first; this is asked all the same. One that is deleted meanwhile
      // needs nothing any more.
      let node = try await lies(move.volumeName)
      guard node == nil || node == place.node else { return .requeueAfter(Self.patience) }
      if let pool = try await pool(keeping: move.handle) {
        try await pool.unseal(move.handle)
      } else if node != nil {
        return .requeueAfter(Self.patience)
      }
      try await report(move, "target", ["state": .string(VolumeMove.TargetState.served.rawValue), "message": nil])
    case .aborting:
      await receiver.forget(move: move.object.uid)
      guard move.targetState != .released else { return .done }
      guard try await lies(move.volumeName) != place.node else { return .requeueAfter(Self.patience) }
      try await drop(move.handle)
      try await report(move, "target", ["state": .string(VolumeMove.TargetState.released.rawValue)])
    case .succeeded, .failed: await receiver.forget(move: move.object.uid)
    }
    return .done
  }

  private func receive(_ move: VolumeMove) async throws -> ReconcileResult {
    guard move.targetState != .refused else { return .done }
    guard let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName) else { return .done }
    // Its key is needed before anybody may come.
    guard let fingerprint = move.source["fingerprint"].string else { return .done }
    let name = volume.spec["csi"]["volumeAttributes"][place.poolAttribute].string ?? place.defaultPool
    do {
      guard let pool = pools[name] else {
        return try await refuse(
          move, "it has no pool \"\(name)\"; its pools: \(pools.keys.sorted().joined(separator: ", "))")
      }
      let known = try await pool.movingVolumes()[move.handle]
      // A whole copy that this move has not made is what an earlier one left: the volume lies elsewhere.
      if known == .sealed, move.targetState == nil, volume.volumeNode(by: place.nodeLabel) != place.node {
        try await pool.delete(move.handle)
      }
      let isNew = known == nil
      try await pool.receive(
        move.handle, try traits(of: volume, in: name, atLeast: Int64(move.source["bytes"].int ?? 0)))
      if isNew { capacityChanged() }
      let port = try await receiver.expect(
        move: move.object.uid, volume: move.handle, from: fingerprint, into: pool)
      let host = place.address.contains(":") ? "[\(place.address)]" : place.address
      try await report(
        move, "target",
        [
          "state": .string(VolumeMove.TargetState.ready.rawValue), "address": .string("\(host):\(port)"),
          "fingerprint": .string(receiver.identity.fingerprint),
        ])
      return .done
    } catch let error as VolumeError {
      switch error {
      case .noSpace, .poolFull, .conflict, .invalidSize, .foreignData, .invalidName:
        return try await refuse(move, "\(error)")
      default: throw error
      }
    }
  }

  private func refuse(_ move: VolumeMove, _ reason: String) async throws -> ReconcileResult {
    try await report(
      move, "target",
      ["state": .string(VolumeMove.TargetState.refused.rawValue), "message": .string(String(reason.prefix(1000)))])
    return .done
  }

  /// - Parameter bytes: how large the source says that it is: pools round up.
  private func traits(of volume: KubernetesObject, in pool: String, atLeast bytes: Int64) throws -> VolumeTraits {
    let isBlock = volume.spec["volumeMode"].string == "Block"
    let type = volume.spec["csi"]["fsType"].string ?? FileSystemType.xfs.rawValue
    let fileSystem = isBlock ? nil : FileSystemType(rawValue: type)
    guard isBlock || fileSystem != nil else {
      throw VolumeError.conflict(volume: volume.name, reason: "with file system \(type)")
    }
    let asked = volume.spec["capacity"]["storage"].string.flatMap(Quantity.init)?.value ?? 0
    // What is said of the file system comes with its bytes.
    return VolumeTraits(
      bytes: max(asked, bytes), fileSystem: fileSystem, isFormatted: false, fileSystemBytes: 0,
      parameters: ["pool": pool])
  }

  // MARK: Source

  private func source(_ move: VolumeMove) async throws -> ReconcileResult {
    let uid = move.object.uid
    switch move.phase {
    case .preparing, .copying, .switching:
      // The status alone gives nobody a volume: its object says that it lies here and that this move has it.
      guard let volume = try await client.getIfPresent(.persistentVolumes, name: move.volumeName),
        volume.annotations[VolumeMove.annotation] == move.object.name,
        volume.spec["csi"]["volumeHandle"].string == move.handle, volume.volumeNode(by: place.nodeLabel) == place.node
      else { return .requeueAfter(Self.patience) }
    case .pending, .cleaning, .aborting, .succeeded, .failed: break
    }
    switch move.phase {
    case .pending: return .done
    case .preparing: try await introduce(move)
    case .copying:
      try await introduce(move)
      guard move.sourceState == nil, let (pool, target) = try await ends(move) else {
        return .requeueAfter(Self.patience)
      }
      await copies.run(uid, "rounds \(target)") { await copy(move, from: pool, to: target) }
    case .switching:
      try await introduce(move)
      guard move.sourceState != .verified, let (pool, target) = try await ends(move) else {
        return .requeueAfter(Self.patience)
      }
      let name = "last \(target)"
      if try await pool.movingVolumes()[move.handle] != .sealed {
        await copies.end(uid)
        do { try await pool.seal(move.handle) } catch VolumeError.inUse(_, let user) {
          try await report(move, "source", ["message": .string("in use: \(user)")])
          return .requeueAfter(.milliseconds(300))
        }
      }
      await copies.run(uid, name) { await finish(move, from: pool, to: target) }
    case .cleaning:
      await copies.end(uid)
      guard move.targetState == .served, move.sourceState != .deleted else { return .done }
      // The one moment in which data is deleted: the volume must lie on the target. Were its object gone, then what is to be
      // kept of it is kept there.
      let node = try await lies(move.volumeName)
      guard node == nil || node == move.targetNode, node != place.node else { return .requeueAfter(Self.patience) }
      try await drop(move.handle)
      try await report(move, "source", ["state": .string(VolumeMove.SourceState.deleted.rawValue), "message": nil])
    case .aborting:
      await copies.end(uid)
      guard move.sourceState != .released else { return .done }
      let node = try await lies(move.volumeName)
      guard node == nil || node == place.node else { return .requeueAfter(Self.patience) }
      if let pool = try await pool(keeping: move.handle) { try await pool.unseal(move.handle) }
      try await report(move, "source", ["state": .string(VolumeMove.SourceState.released.rawValue)])
    case .succeeded, .failed: await copies.end(uid)
    }
    return .done
  }

  /// Tells by which key this node is known to the other, and how large the volume is.
  private func introduce(_ move: VolumeMove) async throws {
    guard let pool = try await pool(keeping: move.handle) else { return }
    let bytes = try await pool.traits(of: move.handle).bytes
    try await report(
      move, "source", ["fingerprint": .string(receiver.identity.fingerprint), "bytes": .integer(bytes)])
  }

  /// Where the bytes come from and go to; `nil` until both are known.
  private func ends(_ move: VolumeMove) async throws -> (any VolumeBackend, TransferTarget)? {
    guard let address = move.target["address"].string, let fingerprint = move.target["fingerprint"].string,
      let pool = try await pool(keeping: move.handle)
    else { return nil }
    return (pool, TransferTarget(address: address, fingerprint: fingerprint))
  }

  /// Copies while the volume is in use, until little is left.
  private func copy(_ move: VolumeMove, from pool: any VolumeBackend, to target: TransferTarget) async {
    for number in 1...Self.rounds {
      guard let done = await round(move, number, isLast: false, from: pool, to: target) else { return }
      if done.sentBytes <= Self.littleBytes || number == Self.rounds { break }
    }
    await telling(move, ["state": .string(VolumeMove.SourceState.copied.rawValue), "message": nil])
  }

  private func finish(_ move: VolumeMove, from pool: any VolumeBackend, to target: TransferTarget) async {
    guard let done = await round(move, Self.rounds + 1, isLast: true, from: pool, to: target) else { return }
    await telling(
      move,
      [
        "state": .string(VolumeMove.SourceState.verified.rawValue), "message": nil,
        "checksum": done.checksum.map { .string($0) } ?? nil,
      ])
  }

  /// One round, tried until it ends; `nil` when it was ended from outside.
  private func round(
    _ move: VolumeMove, _ number: Int, isLast: Bool, from pool: any VolumeBackend, to target: TransferTarget
  ) async -> TransferProgress? {
    let order = TransferRound(
      move: move.object.uid, volume: move.handle, isLast: isLast, bytesPerSecond: move.bytesPerSecond)
    while !Task.isCancelled {
      do {
        return try await sender.send(order, from: pool, to: target) { progress in
          await telling(
            move,
            [
              "round": JSONValue(number), "comparedBytes": .integer(progress.comparedBytes),
              "sentBytes": .integer(progress.sentBytes), "message": nil,
            ], once: true)
        }
      } catch {
        if Task.isCancelled { return nil }
        logger.warning(
          "a copy was cut off and goes on", metadata: ["move": "\(move.object.name)", "error": "\(error)"])
        await telling(move, ["message": .string(String("\(error)".prefix(1000)))], once: true)
        try? await Task.sleep(for: Self.patience)
      }
    }
    return nil
  }

  // MARK: Parts

  /// Deletes a copy of a volume that lies elsewhere. One that is in use here is no copy of a move's.
  func drop(_ handle: String) async throws {
    for pool in pools.values {
      let moving = try await pool.movingVolumes()[handle]
      let volume = await pool.volume(handle)
      if moving != nil || volume == nil { try await pool.delete(handle) }
    }
    capacityChanged()
  }

  /// The pool that has a volume, in use or on its way.
  private func pool(keeping handle: String) async throws -> (any VolumeBackend)? {
    for pool in pools.values.sorted(by: { $0.poolName < $1.poolName }) {
      if await pool.volume(handle) != nil { return pool }
      if try await pool.movingVolumes()[handle] != nil { return pool }
    }
    return nil
  }

  /// The node on which a volume lies, as its object says; `nil` if there is none.
  func lies(_ volume: String) async throws -> String? {
    try await client.getIfPresent(.persistentVolumes, name: volume)?.volumeNode(by: place.nodeLabel)
  }

  /// Writes this side's report, if it says something new.
  private func report(_ move: VolumeMove, _ side: String, _ fields: JSONValue) async throws {
    let known = move.object.status[side]
    guard fields.members.contains(where: { known[$0.key] != $0.value }) else { return }
    try await client.patch(
      .volumeMoves, name: move.object.name, subresource: "status",
      ["metadata": ["uid": .string(move.object.uid)], "status": .object([side: fields])])
  }

  /// The same from a copy, whose move is as old as its beginning: until it is said, or once.
  private func telling(_ move: VolumeMove, _ fields: JSONValue, once: Bool = false) async {
    repeat {
      do {
        try await client.patch(
          .volumeMoves, name: move.object.name, subresource: "status",
          ["metadata": ["uid": .string(move.object.uid)], "status": ["source": fields]])
        return
      } catch let status as APIStatus where status.isNotFound || status.isConflict { return } catch {
        if once { return }
        try? await Task.sleep(for: Self.patience)
      }
    } while !Task.isCancelled
  }
}
