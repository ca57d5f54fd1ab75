import BoundedNumbers
import LinuxSystem
import Logging

/// A pool whose volumes are sparse files in one directory, shown as loop devices with direct I/O.
///
/// `volumes/<name>.img` is a volume's bytes, `records/<name>.json` its record, `snapshots/<name>.img` and `.json` the same of a
/// snapshot, `lock` keeps a second process out. Every change is intent, act, record; see `FilePool+Recovery`.
public actor FilePool: VolumeBackend {
  public struct Configuration: Sendable {
    public var name: String
    public var directory: String
    /// What volumes may take together; `nil`: what the file system has.
    public var limitBytes: Int64?
    /// Space of the file system that volumes never get.
    public var reservedBytes: Int64
    /// Promised bytes per real byte. With 1 the volumes together never outgrow the pool; but their files are sparse, so
    /// what else fills the file system (images, logs, scratch space) can still make a volume meet ENOSPC below its own
    /// size. `preallocates` rules that out.
    public var overprovisionRatio: Double
    /// Reserve all blocks at creation instead of on first write.
    public var preallocates: Bool
    /// Where the file system has no reflinks: a mounted volume's blocks are copied while it is frozen, if they are no more than
    /// these bytes, and not for longer than that. Writers wait that long.
    public var frozenCopyBytes: Int64
    public var freezeDeadline: Duration

    public init(
      name: String, directory: String, limitBytes: Int64? = nil, reservedBytes: Int64 = 1 << 30,
      overprovisionRatio: Double = 1, preallocates: Bool = false, frozenCopyBytes: Int64 = 1 << 30,
      freezeDeadline: Duration = .seconds(10)
    ) {
      self.frozenCopyBytes = frozenCopyBytes
      self.freezeDeadline = freezeDeadline
      self.name = name
      self.directory = directory
      self.limitBytes = limitBytes
      self.reservedBytes = reservedBytes
      self.overprovisionRatio = overprovisionRatio
      self.preallocates = preallocates
    }
  }

  /// The steps of changes, in order; tests crash after each of them.
  public enum Step: String, Sendable, CaseIterable {
    case createIntent, createFile, createRecord
    case expandIntent, expandFile, expandDevice, expandRecord
    case deleteIntent, deleteDevice, deleteFile, deleteRecord
    case attachDevice, formatIntent, formatDone, formatRecord
    case receiveRecord, sealRecord
    /// `copyFrozen`: of a snapshot or of a new volume, and only of one that is mounted.
    case snapshotIntent, copyFrozen, snapshotFile, snapshotRecord
    case dropIntent, dropFile, dropRecord
  }

  public nonisolated let poolName: String
  let configuration: Configuration
  /// The pool's directory without symbolic links, as the kernel names backing files.
  let directory: String
  let logger: Logger
  let afterStep: (@Sendable (Step) throws -> Void)?
  var records: [String: VolumeRecord] = [:]
  var snapshotRecords: [String: SnapshotRecord] = [:]
  /// Whether files can share blocks here; `nil`: not tried yet.
  var sharesBlocks: Bool?
  /// Files in the pool's directory that belong to no volume. They are left alone.
  public internal(set) var strays: [String] = []
  private var lock: FileLock?
  private var busy: Set<String> = []
  private var queues: [String: [CheckedContinuation<Void, Never>]] = [:]

  /// Opens a pool, makes its directory if missing, and repairs what a crash left behind.
  /// - Parameter afterStep: called after every step of a change; an error it throws leaves the change as it is.
  public static func open(
    _ configuration: Configuration, logger: Logger, afterStep: (@Sendable (Step) throws -> Void)? = nil
  ) async throws -> FilePool {
    let pool = try await opened(configuration, logger: logger, afterStep: afterStep)
    try await pool.recover()
    return pool
  }

  /// A process that was killed keeps its lock for some moments, until the kernel has closed its files.
  private static func opened(
    _ configuration: Configuration, logger: Logger, afterStep: (@Sendable (Step) throws -> Void)?
  ) async throws -> FilePool {
    let deadline = ContinuousClock.now + .seconds(2)
    while true {
      do { return try FilePool(configuration, logger: logger, afterStep: afterStep) } catch VolumeError.poolInUse
        where ContinuousClock.now < deadline
      { try await Task.sleep(for: .milliseconds(20)) }
    }
  }

  private init(_ configuration: Configuration, logger: Logger, afterStep: (@Sendable (Step) throws -> Void)?) throws {
    for part in ["volumes", "records", "snapshots"] {
      try Directory.make("\(configuration.directory)/\(part)", permissions: 0o700)
    }
    directory = try Directory.canonicalPath(configuration.directory)
    let lock = try FileLock("\(configuration.directory)/lock")
    let isHeld = lock != nil
    guard isHeld else { throw VolumeError.poolInUse(pool: configuration.name, directory: configuration.directory) }
    self.lock = lock
    self.configuration = configuration
    poolName = configuration.name
    var logger = logger
    logger[metadataKey: "pool"] = "\(configuration.name)"
    self.logger = logger
    self.afterStep = afterStep
  }

  func imagePath(_ name: String) -> String { "\(directory)/volumes/\(name).img" }
  func recordPath(_ name: String) -> String { "\(directory)/records/\(name).json" }

  // MARK: Changes

  public func create(_ request: VolumeRequest) async throws -> Volume {
    try await exclusively(request.name, with: request.source) { try await createLocked(request) }
  }

  private func createLocked(_ request: VolumeRequest) async throws -> Volume {
    let name = request.name
    let bytes = try Self.roundedSize(
      request.bytes, limit: request.limitBytes, fileSystem: request.fileSystem, volume: name)
    if let record = records[name], record.state != .deleting, record.state != .creating {
      guard record.state != .receiving else { throw VolumeError.moving(volume: name) }
      try record.check(fits: request)
      return volume(of: record)
    }
    if records[name]?.state == .deleting { try deleteLocked(name) }  // an earlier deletion failed half-way
    if records[name]?.state == .creating {  // an earlier creation failed half-way
      try converting(name, "creation") { try Directory.removeFile(imagePath(name)) }
      records[name] = nil
    }
    var record = VolumeRecord(request, bytes: bytes)
    let original = try request.source.map { try self.original($0, for: name) }
    if let original { record = try original.record(request, unit: 4096) }
    record = try await make(record, from: original, becoming: .ready, doing: "creation")
    logger.info("created volume", metadata: ["volume": "\(name)", "bytes": "\(record.bytes)"])
    return volume(of: record)
  }

  /// Makes a volume's file and record, or leaves neither.
  /// - Parameters:
  ///   - new: in the state `creating`.
  ///   - state: in which it is then.
  /// - Returns: the record as it is then.
  func make(_ new: VolumeRecord, from original: VolumeOriginal?, becoming state: VolumeRecord.State, doing: String)
    async throws
    -> VolumeRecord
  {
    let name = new.name
    if try converting(name, doing, { try FileStatus(of: imagePath(name)) }) != nil {
      throw VolumeError.foreignData(volume: name, found: "a file without a record (\(imagePath(name)))")
    }
    try reserve(new.bytes, for: name)
    var record = new
    records[name] = record  // counted from here on: nothing is awaited between the check and this
    do {
      try save(record)
      try done(.createIntent)
      let file = try OpenFile(imagePath(name), .createNew)
      if let original { record.sharesBlocks = try await copy(original, to: imagePath(name), for: name) }
      try file.truncate(to: record.bytes)
      if configuration.preallocates { try file.allocate(bytes: record.bytes) }
      try file.sync()
      try Directory.sync("\(directory)/volumes")
      try done(.createFile)
      record.state = state
      try save(record)
      try done(.createRecord)
      return record
    } catch  where error is SystemError || error is VolumeError {
      // Not a crash: take back what is there. If that fails too, the record says `creating` and the next start does it.
      try? Directory.removeFile(imagePath(name))
      try? DurableFile.remove(recordPath(name))
      records[name] = nil
      throw failure(error, name, doing, wanted: record.bytes)
    }
  }

  /// A failure of the kernel as one of the volume.
  func failure(_ error: any Error, _ name: String, _ doing: String, wanted bytes: Int64) -> any Error {
    guard let error = error as? SystemError else { return error }
    if error.isOutOfSpace {
      return VolumeError.noSpace(
        volume: name, pool: poolName, requestedBytes: bytes, availableBytes: (try? space().available) ?? 0)
    }
    return VolumeError.failed(volume: name, doing: doing, reason: "\(error)")
  }

  public func delete(_ name: String) async throws {
    guard VolumeName.isValid(name) else { return }  // nothing of that name can exist
    try await exclusively(name) {
      guard records[name] != nil else { return }
      try deleteLocked(name)
      logger.info("deleted volume", metadata: ["volume": "\(name)"])
    }
  }

  func deleteLocked(_ name: String) throws {
    guard var record = records[name] else { return }
    try converting(name, "deletion") {
      if let user = try user(of: name) { throw VolumeError.inUse(volume: name, by: user) }
      record.state = .deleting
      try save(record)
      try done(.deleteIntent)
      for device in try LoopDevice.attached(to: imagePath(name)) { try device.detach() }
      // A device that is still there has a user elsewhere: its blocks come back, and the file may go, when that ends.
      if let device = try LoopDevice.attached(to: imagePath(name)).first {
        throw VolumeError.inUse(volume: name, by: VolumeDevice(device).distantUser)
      }
      try done(.deleteDevice)
      try DurableFile.remove(imagePath(name))
      try done(.deleteFile)
      try DurableFile.remove(recordPath(name))
      try done(.deleteRecord)
      records[name] = nil
    }
  }

  public func expand(_ name: String, to bytes: Int64, limitBytes: Int64 = 0) async throws -> Int64 {
    try await exclusively(name) {
      let record = try existing(name)
      let target = try Self.roundedSize(bytes, limit: limitBytes, fileSystem: record.fileSystem, volume: name)
      if target <= record.bytes, record.state == .ready {
        guard limitBytes == 0 || record.bytes <= limitBytes else {
          throw VolumeError.invalidSize(
            volume: name,
            reason: "is \(record.bytes) bytes, more than the limit of \(limitBytes); volumes do not shrink")
        }
        return record.bytes
      }
      if target > record.promisedBytes { try reserve(target - record.promisedBytes, for: name) }
      try expandLocked(name, to: max(target, record.targetBytes))
      logger.info("expanded volume", metadata: ["volume": "\(name)", "bytes": "\(target)"])
      return records[name]?.bytes ?? target
    }
  }

  func expandLocked(_ name: String, to target: Int64) throws {
    guard var record = records[name] else { return }
    try converting(name, "expansion") {
      record.state = .expanding
      record.targetBytes = target
      try save(record)
      try done(.expandIntent)
      let file = try OpenFile(imagePath(name), .readWrite)
      try file.truncate(to: target)
      if configuration.preallocates { try file.allocate(bytes: target) }
      try file.sync()
      try done(.expandFile)
      for device in try LoopDevice.attached(to: imagePath(name)) { try device.refreshSize() }
      try done(.expandDevice)
      record.bytes = target
      record.state = .ready
      try save(record)
      try done(.expandRecord)
    }
  }

  // MARK: Questions

  public func volume(_ name: String) async -> Volume? {
    guard let record = records[name], record.state.isTold else { return nil }
    return volume(of: record)
  }

  public func volumes() async -> [Volume] {
    records.values.filter(\.state.isTold).sorted { $0.name < $1.name }
      .map { volume(of: $0) }
  }

  private func volume(of record: VolumeRecord) -> Volume {
    Volume(
      name: record.name, bytes: record.bytes, fileSystem: record.fileSystem, parameters: record.parameters,
      source: record.source, fault: fault(imagePath(record.name), bytes: record.bytes))
  }

  func fault(_ path: String, bytes: Int64) -> String? {
    do {
      guard let status = try FileStatus(of: path) else {
        return "its file \(path) is missing; restore the file from a backup or delete the volume"
      }
      guard status.size >= bytes else {
        return "its file \(path) has \(status.size) of \(bytes) bytes; restore it from a backup"
      }
      return nil
    } catch { return "\(error)" }
  }

  public func capacity(for fileSystem: FileSystemType? = nil) async throws -> PoolCapacity {
    let space = try space()
    let minimum = FileSystemType.minimumBytes(of: fileSystem)
    return PoolCapacity(
      totalBytes: space.total, allocatedBytes: space.promised, availableBytes: space.available,
      maximumVolumeBytes: space.available >= minimum ? space.available : 0, minimumVolumeBytes: minimum,
      volumes: records.count)
  }

  /// total = min(limit, free + blocks that volumes and snapshots have already − spare) × ratio; available = total − promised.
  ///
  /// A snapshot costs the blocks it has, of which it never gets more. Where blocks are shared, those of a volume do not count as
  /// had: each may have to be written anew.
  func space() throws -> (total: Int64, promised: Int64, available: Int64) {
    let usage = try FileSystemUsage(of: directory)
    var taken: Int64 = 0
    for record in records.values {
      let allocated = try FileStatus(of: imagePath(record.name))?.allocatedBytes ?? 0
      let shared =
        record.sharesBlocks && allocated > 0
        ? try FileCopy.sharedBytes(of: imagePath(record.name)) ?? allocated : 0
      taken = taken.clampedAdding(max(0, allocated.clampedSubtracting(shared)))
    }
    for name in snapshotRecords.keys {
      taken = taken.clampedAdding(try FileStatus(of: snapshotPath(name))?.allocatedBytes ?? 0)
    }
    let real = max(0, usage.availableBytes.clampedAdding(taken).clampedSubtracting(configuration.reservedBytes))
    let total = Int64(clamping: Double(min(configuration.limitBytes ?? .max, real)) * configuration.overprovisionRatio)
    let promised = (records.values.map(\.promisedBytes) + snapshotRecords.values.map(\.promisedBytes)).clampedSum()
    return (total, promised, max(0, total.clampedSubtracting(promised)) / 4096 * 4096)
  }

  // MARK: Parts

  func reserve(_ bytes: Int64, for name: String) throws {
    let available: Int64
    do { available = try space().available } catch {
      throw VolumeError.failed(volume: name, doing: "reading the pool's space", reason: "\(error)")
    }
    guard bytes <= available else {
      throw VolumeError.noSpace(
        volume: name, pool: poolName, requestedBytes: bytes, availableBytes: available)
    }
  }

  func existing(_ name: String) throws -> VolumeRecord {
    guard let record = records[name] else { throw VolumeError.notFound(volume: name) }
    return try record.usable()
  }

  func save(_ record: VolumeRecord) throws(SystemError) {
    try DurableFile.write(record.encoded, to: recordPath(record.name))
    records[record.name] = record
  }

  func done(_ step: Step) throws { try afterStep?(step) }

  /// Failures of the kernel become failures of the volume.
  func converting<Result>(_ name: String, _ doing: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as SystemError {
      throw VolumeError.failed(volume: name, doing: doing, reason: "\(error)")
    } catch let error as MountTableError {
      throw VolumeError.failed(volume: name, doing: doing, reason: "\(error)")
    }
  }

  /// Runs one change of a volume at a time; others wait in order. Its source waits, too.
  func exclusively<Result: Sendable>(
    _ name: String, with source: VolumeSource? = nil, _ body: () async throws -> Result
  ) async throws -> Result {
    guard VolumeName.isValid(name) else { throw VolumeError.invalidName(name) }
    return try await alone([name] + (source.map { [$0.gateKey] } ?? []), body)
  }

  /// In the order of their names, so that nobody waits for one who waits for him.
  func alone<Result: Sendable>(_ keys: [String], _ body: () async throws -> Result) async throws -> Result {
    let keys = Set(keys).sorted()
    for key in keys {
      if busy.contains(key) {
        await withCheckedContinuation { queues[key, default: []].append($0) }
      } else {
        busy.insert(key)
      }
    }
    defer { for key in keys { leave(key) } }
    return try await body()
  }

  private func leave(_ key: String) {
    guard var queue = queues[key], !queue.isEmpty else {
      busy.remove(key)
      return
    }
    let next = queue.removeFirst()  // it stays busy: it is handed over
    queues[key] = queue.isEmpty ? nil : queue
    next.resume()
  }

  static func roundedSize(_ bytes: Int64, limit: Int64, fileSystem: FileSystemType?, volume: String) throws(VolumeError)
    -> Int64
  { try VolumeSize.rounded(bytes, limit: limit, unit: 4096, fileSystem: fileSystem, volume: volume) }
}
