import BoundedNumbers
import LinuxSystem
import Logging

/// A pool whose volumes are logical volumes of one LVM volume group: with extents of their own (thick), or in a thin pool.
///
/// There are no records beside LVM's: a volume's state is in the tags of its logical volume (`VolumeTags`), and every
/// change of state is one transaction of LVM's. Logical volumes without the tag `nagaya` are never touched.
public actor LVMPool: VolumeBackend {
  /// What volumes lie in.
  public enum Kind: Sendable, Hashable {
    /// Linear volumes: what is promised is there.
    case thick
    /// Volumes in the thin pool of that name, which somebody has made.
    case thin(pool: String)
  }

  /// What becomes of bytes that others left where a thick volume is to lie. A new volume's ends are cleared in any case,
  /// so that nothing old is taken for a file system. Thin volumes read as zeros by themselves.
  public enum Wiping: String, Sendable, Hashable, CaseIterable {
    /// Raw block volumes, and what they grow by, are overwritten with zeros before anybody sees them. A volume with a
    /// file system needs none: xfs and ext4 show no block before it was written.
    case zero
    /// The same by discarding: fast, and as good as the disk, which may show old bytes again.
    case discard
    /// For machines whose volumes all belong to one tenant.
    case none
  }

  public struct Configuration: Sendable {
    public var name: String
    public var group: String
    public var kind: Kind
    /// Bytes of the group that thick volumes never get.
    public var reservedBytes: Int64
    /// Of a thin pool: promised bytes per real byte.
    public var overprovisionRatio: Double
    /// Of a thin pool: with more data, or metadata, in use than that many percent it takes no new volumes and none grows.
    public var dataLimitPercent: Double
    public var metadataLimitPercent: Double
    public var wipes: Wiping
    /// For one command of lvm, which waits for the group's lock that long.
    public var deadline: Duration
    /// Where locks lie that keep a second process from the same volumes: the machine's, like the group.
    public var lockDirectory: String

    public init(
      name: String, group: String, kind: Kind = .thick, reservedBytes: Int64 = 0, overprovisionRatio: Double = 1,
      dataLimitPercent: Double = 90, metadataLimitPercent: Double = 80, wipes: Wiping = .zero,
      deadline: Duration = .seconds(60), lockDirectory: String = "/run/lock/nagaya"
    ) {
      self.name = name
      self.group = group
      self.kind = kind
      self.reservedBytes = reservedBytes
      self.overprovisionRatio = overprovisionRatio
      self.dataLimitPercent = dataLimitPercent
      self.metadataLimitPercent = metadataLimitPercent
      self.wipes = wipes
      self.deadline = deadline
      self.lockDirectory = lockDirectory
    }
  }

  /// The steps of changes, in order; tests crash after each of them.
  public enum Step: String, Sendable, CaseIterable {
    case createVolume, createWipe, createRecord
    /// Of new volumes that begin with something. `copyBegun`: only of a thick one that is in use.
    case copyBegun, createCopy
    case snapshotVolume, snapshotCopy, snapshotRecord
    case dropVolume
    case expandIntent, expandClean, expandVolume, expandRecord
    case deleteIntent, deleteDevice, deleteVolume
    case attachDevice, formatIntent, formatDone, formatRecord
    case receiveRecord, sealRecord
  }

  public nonisolated let poolName: String
  let configuration: Configuration
  let tool: LVMTool
  let logger: Logger
  let afterStep: (@Sendable (Step) throws -> Void)?
  /// Logical volumes that look like Nagaya's but are not volumes. They are left alone.
  public internal(set) var strays: [String] = []
  /// One call of lvm serves all who ask within some time, and those who ask meanwhile.
  private var known: (state: LVMPoolState, at: ContinuousClock.Instant)?
  /// The latest answer, however old: what is said of volumes while lvm does not answer.
  private var last: LVMPoolState?
  /// When lvm last did not answer, and why: who asks about a volume right after need not wait for that again.
  private var failed: (fault: String, at: ContinuousClock.Instant)?
  private var asking: (generation: Int, task: Task<LVMPoolState, any Error>)?
  private var generation = 0
  /// How often lvm was asked.
  private(set) var reports = 0
  /// Whose bytes are lent (`withContents`), and to how many.
  var lent: [String: Int] = [:]
  private var lock: FileLock?
  private let gate = VolumeGate()

  /// How long an answer of lvm's is good. Own changes end it at once; those of others, and a thin pool that fills, are
  /// seen that late.
  static let freshness: Duration = .seconds(2)
  /// How long after a failure lvm is not asked about single volumes.
  private static let patience: Duration = .seconds(5)

  /// Opens a pool and repairs what a crash left behind.
  /// - Parameter afterStep: called after every step of a change; an error it throws leaves the change as it is.
  /// - Throws: `VolumeError.poolUnavailable` without lvm2, the group or the thin pool; `poolInUse`.
  public static func open(
    _ configuration: Configuration, logger: Logger, afterStep: (@Sendable (Step) throws -> Void)? = nil
  ) async throws -> LVMPool {
    // A process that was killed keeps its lock for some moments, until the kernel has closed its files.
    let deadline = ContinuousClock.now + .seconds(2)
    while true {
      do {
        let pool = try LVMPool(configuration, logger: logger, afterStep: afterStep)
        try await pool.recover()
        return pool
      } catch VolumeError.poolInUse where ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  private init(_ configuration: Configuration, logger: Logger, afterStep: (@Sendable (Step) throws -> Void)?) throws {
    var names = [configuration.group]
    if case .thin(let pool) = configuration.kind { names.append(pool) }
    for name in names where !LVMTool.isValidName(name) {
      throw VolumeError.poolUnavailable(
        pool: configuration.name, reason: "\"\(name.prefix(80))\" is no name of LVM: use letters, digits and _.+-")
    }
    let place = "\(configuration.lockDirectory)/\(names.joined(separator: "+"))"
    try Directory.make(configuration.lockDirectory, permissions: 0o700)
    let lock = try FileLock("\(place).lock")
    let isHeld = lock != nil
    guard isHeld else { throw VolumeError.poolInUse(pool: configuration.name, directory: "\(place).lock") }
    self.lock = lock
    self.configuration = configuration
    poolName = configuration.name
    tool = LVMTool(group: configuration.group, deadline: configuration.deadline)
    var logger = logger
    logger[metadataKey: "pool"] = "\(configuration.name)"
    self.logger = logger
    self.afterStep = afterStep
  }

  // MARK: Questions

  public func volume(_ name: String) async -> Volume? {
    let (state, fault) = await latestState()
    return state?.volumes[name].flatMap { volume(of: $0, state, fault) }
  }

  public func volumes() async -> [Volume] {
    let (state, fault) = await latestState()
    return (state?.volumes.values.compactMap { volume(of: $0, state, fault) } ?? []).sorted { $0.name < $1.name }
  }

  /// What is known, if lvm does not answer also from before, and why it did not.
  private func latestState() async -> (LVMPoolState?, fault: String?) {
    if let failed, ContinuousClock.now - failed.at < Self.patience { return (last, failed.fault) }
    do {
      return (try await state(), nil)
    } catch {
      failed = ("\(error)", .now)
      return (last, "\(error)")
    }
  }

  private func volume(of entry: LVMPoolState.Entry, _ state: LVMPoolState?, _ fault: String?) -> Volume? {
    guard entry.record.state.isTold else { return nil }
    return volume(of: entry.record, fault: fault ?? state?.fault(of: entry.record.name))
  }

  public func snapshot(_ name: String) async -> VolumeSnapshot? {
    let (state, fault) = await latestState()
    return state?.snapshots[name].flatMap { snapshot(of: $0, state, fault) }
  }

  public func snapshots() async -> [VolumeSnapshot] {
    let (state, fault) = await latestState()
    return (state?.snapshots.values.compactMap { snapshot(of: $0, state, fault) } ?? []).sorted { $0.name < $1.name }
  }

  private func snapshot(of entry: LVMPoolState.SnapshotEntry, _ state: LVMPoolState?, _ fault: String?)
    -> VolumeSnapshot?
  {
    guard entry.record.state == .ready else { return nil }
    return entry.record.snapshot(fault: fault ?? state?.fault(of: entry.logical))
  }

  public func capacity(for fileSystem: FileSystemType? = nil) async throws -> PoolCapacity {
    let state = try await state()
    let minimum = try VolumeSize.rounded(
      FileSystemType.minimumBytes(of: fileSystem), limit: 0, unit: state.report.extentBytes, fileSystem: fileSystem,
      volume: "least")
    let available = state.fullness == nil ? state.availableBytes : 0
    return PoolCapacity(
      totalBytes: state.totalBytes, allocatedBytes: state.promisedBytes, availableBytes: available,
      maximumVolumeBytes: available >= minimum ? available : 0, minimumVolumeBytes: minimum,
      volumes: state.volumes.count)
  }

  func volume(of record: VolumeRecord, fault: String? = nil) -> Volume {
    Volume(
      name: record.name, bytes: record.bytes, fileSystem: record.fileSystem, parameters: record.parameters,
      source: record.source, fault: fault)
  }

  /// What LVM says, at most `freshness` old and never from before a change of our own.
  /// - Throws: `VolumeError.poolUnavailable`.
  func state() async throws -> LVMPoolState {
    if let known, ContinuousClock.now - known.at < Self.freshness { return known.state }
    let task: Task<LVMPoolState, any Error>
    if let asking, asking.generation == generation {
      task = asking.task
    } else {
      let (tool, configuration) = (tool, configuration)
      task = Task { LVMPoolState(try await tool.report(), configuration) }
      asking = (generation, task)
      reports &+= 1
    }
    let asked = generation
    do {
      let state = try await task.value
      (last, failed) = (state, nil)
      if asked == generation {
        known = (state, .now)
        asking = nil
      }
      return state
    } catch {
      if asked == generation { asking = nil }
      throw VolumeError.poolUnavailable(pool: poolName, reason: "\(configuration.group): \(error)")
    }
  }

  /// What LVM says now.
  func freshState() async throws -> LVMPoolState {
    forget()
    return try await state()
  }

  // MARK: Parts

  /// Changes something by lvm; whatever was known before is asked for anew.
  /// - Throws: `LVMError`.
  func change(_ arguments: [String]) async throws(LVMError) {
    forget()
    defer { forget() }
    try await tool.run(arguments)
  }

  private func forget() {
    generation &+= 1
    known = nil
    asking = nil
  }

  func done(_ step: Step) throws { try afterStep?(step) }

  /// Runs one change of a volume at a time; others wait in order. Its source waits, too.
  func exclusively<Result: Sendable>(
    _ name: String, with source: VolumeSource? = nil, _ body: () async throws -> Result
  ) async throws -> Result {
    guard VolumeName.isValid(name) else { throw VolumeError.invalidName(name) }
    return try await alone([name] + (source.map { [$0.gateKey] } ?? []), body)
  }

  /// Runs one change at a time that takes space: between looking and taking nobody else takes.
  func takingSpace<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
    try await alone(["/"], body)  // no volume's name
  }

  /// In the order of their names, so that nobody waits for one who waits for him.
  func alone<Result: Sendable>(_ keys: [String], _ body: () async throws -> Result) async throws -> Result {
    let keys = Set(keys).sorted()
    for key in keys { await gate.enter(key) }
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    for key in keys { await gate.leave(key) }
    return try result.get()
  }

  /// lvm's failure as one of the volume.
  func failure(_ error: LVMError, _ name: String, doing: String, wants bytes: Int64 = 0) async -> VolumeError {
    switch error {
    case .notInstalled, .groupMissing, .lockHeld:
      return .poolUnavailable(pool: poolName, reason: "\(configuration.group): \(error)")
    case .noExtents(_, let free):
      let state = try? await state()
      let extent = state?.report.extentBytes ?? 0
      return .noSpace(
        volume: name, pool: poolName, requestedBytes: bytes,
        availableBytes: free?.clampedMultiplying(by: extent) ?? state?.availableBytes ?? 0)
    case .thinPoolFull: return .poolFull(volume: name, pool: poolName, reason: "\(error)")
    case .inUse: return .inUse(volume: name, by: "its device is open")
    case .nameTaken, .volumeMissing, .sizeUnchanged, .failed:
      return .failed(volume: name, doing: doing, reason: "\(error)")
    }
  }
}
