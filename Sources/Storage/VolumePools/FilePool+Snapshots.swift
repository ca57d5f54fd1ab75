import Glibc
import LinuxSystem

extension FilePool {
  func snapshotPath(_ name: String) -> String { "\(directory)/snapshots/\(name).img" }
  func snapshotRecordPath(_ name: String) -> String { "\(directory)/snapshots/\(name).json" }

  // MARK: Changes

  public func createSnapshot(_ name: String, of volume: String) async throws -> VolumeSnapshot {
    guard VolumeName.isValid(name) else { throw VolumeError.invalidName(name) }
    guard VolumeName.isValid(volume) else { throw VolumeError.notFound(volume: volume) }
    return try await alone([VolumeSource.snapshot(name).gateKey, volume]) {
      try await createSnapshotLocked(name, of: volume)
    }
  }

  private func createSnapshotLocked(_ name: String, of volume: String) async throws -> VolumeSnapshot {
    if let record = snapshotRecords[name] {
      if record.state == .ready {
        try record.check(isOf: volume)
        return snapshot(of: record)
      }
      try dropLocked(name)  // an earlier one failed half-way
    }
    let source = try existing(volume)
    let path = snapshotPath(name)
    let (status, taken) = try converting(volume, "taking a snapshot") {
      (try FileStatus(of: path), try FileStatus(of: imagePath(volume))?.allocatedBytes ?? 0)
    }
    guard status == nil else {
      throw VolumeError.snapshotConflict(snapshot: name, reason: "as a file without a record (\(path))")
    }
    try reserve(taken, for: volume)
    var record = SnapshotRecord(name, of: source, bytes: source.bytes, promisedBytes: taken)
    snapshotRecords[name] = record  // counted from here on
    do {
      try save(record)
      try done(.snapshotIntent)
      _ = try OpenFile(path, .createNew).path
      _ = try await copy(VolumeOriginal(source, bytes: source.bytes), to: path, for: volume)
      try Directory.sync("\(directory)/snapshots")
      try done(.snapshotFile)
      record.takenAt = SnapshotRecord.now()
      record.promisedBytes = try FileStatus(of: path)?.allocatedBytes ?? taken
      record.state = .ready
      try save(record)
      try done(.snapshotRecord)
    } catch  where error is SystemError || error is VolumeError {
      try? Directory.removeFile(path)
      try? DurableFile.remove(snapshotRecordPath(name))
      snapshotRecords[name] = nil
      throw failure(error, volume, "taking a snapshot", wanted: taken)
    }
    logger.info("took a snapshot", metadata: ["snapshot": "\(name)", "volume": "\(volume)"])
    return snapshot(of: record)
  }

  public func deleteSnapshot(_ name: String) async throws {
    guard VolumeName.isValid(name) else { return }
    try await alone([VolumeSource.snapshot(name).gateKey]) {
      guard snapshotRecords[name] != nil else { return }
      try dropLocked(name)
      logger.info("deleted snapshot", metadata: ["snapshot": "\(name)"])
    }
  }

  func dropLocked(_ name: String) throws {
    guard var record = snapshotRecords[name] else { return }
    try converting(record.volume, "deletion of snapshot \(name)") {
      record.state = .deleting
      try save(record)
      try done(.dropIntent)
      try DurableFile.remove(snapshotPath(name))
      try done(.dropFile)
      try DurableFile.remove(snapshotRecordPath(name))
      try done(.dropRecord)
      snapshotRecords[name] = nil
    }
  }

  // MARK: Questions

  public func snapshot(_ name: String) async -> VolumeSnapshot? {
    guard let record = snapshotRecords[name], record.state == .ready else { return nil }
    return snapshot(of: record)
  }

  public func snapshots() async -> [VolumeSnapshot] {
    snapshotRecords.values.filter { $0.state == .ready }.sorted { $0.name < $1.name }.map { snapshot(of: $0) }
  }

  private func snapshot(of record: SnapshotRecord) -> VolumeSnapshot {
    record.snapshot(fault: fault(snapshotPath(record.name), bytes: record.bytes))
  }

  /// - Throws: `VolumeError.sourceNotFound`, `moving`.
  func original(_ source: VolumeSource, for volume: String) throws(VolumeError) -> VolumeOriginal {
    switch source {
    case .snapshot(let name):
      if let record = snapshotRecords[name], record.state == .ready { return VolumeOriginal(record) }
    case .volume(let name):
      if let record = records[name], record.state.isTold {
        let record = try record.usable()
        return VolumeOriginal(record, bytes: record.bytes)
      }
    }
    throw .sourceNotFound(volume: volume, source: source)
  }

  private func save(_ record: SnapshotRecord) throws(SystemError) {
    try DurableFile.write(record.encoded, to: snapshotRecordPath(record.name))
    snapshotRecords[record.name] = record
  }

  // MARK: Copying

  /// How a volume is used that is to be copied.
  private enum Use {
    case none
    /// Frozen by this directory.
    case mounted(String)
    /// Its device is there, and who has it open cannot be made to wait.
    case attached(String)
  }

  /// Gives an empty file what a volume, or a snapshot, holds at one instant. Nobody attaches it meanwhile.
  /// - Parameter volume: what failures are told about.
  /// - Returns: whether blocks are shared now.
  func copy(_ original: VolumeOriginal, to target: String, for volume: String) async throws -> Bool {
    let canShare = try sharesBlocks ?? tryShare()
    sharesBlocks = canShare
    switch original.source {
    case .snapshot(let name):
      let path = snapshotPath(name)
      try await BlockingWork.run { try Self.copy(path, to: target, shares: canShare) }
    case .volume(let name):
      if canShare, var record = records[name], !record.sharesBlocks {
        record.sharesBlocks = true
        try save(record)
      }
      try await copyInUse(name, to: target, shares: canShare)
    }
    return canShare
  }

  private func copyInUse(_ name: String, to target: String, shares: Bool) async throws {
    let path = imagePath(name)
    switch try converting(name, "looking for users", { try use(of: name) }) {
    case .none: try await BlockingWork.run { try Self.copy(path, to: target, shares: shares) }
    case .attached(let device):
      // At one instant, as after a power cut: all that can be had of a raw device in use.
      guard shares else {
        throw VolumeError.notCopied(
          volume: name,
          reason:
            "\(device) is in use and the file system of pool \(poolName) has no reflinks; stop the pods that use it, or put the pool on xfs (reflink=1) or btrfs"
        )
      }
      try await BlockingWork.run { try Self.copy(path, to: target, shares: true) }
    case .mounted(let mountPoint):
      let deadline = configuration.freezeDeadline
      if !shares {
        let bytes = try converting(name, "looking at its file") { try FileStatus(of: path)?.allocatedBytes ?? 0 }
        guard bytes <= configuration.frozenCopyBytes else {
          throw tooMuch(name, "\(bytes) bytes, more than \(configuration.frozenCopyBytes)")
        }
      }
      let afterStep = afterStep
      do {
        try await BlockingWork.run {
          try FileSystem.frozen(mountPoint, deadline: deadline) {
            try afterStep?(.copyFrozen)
            // What was copied is good only if it was frozen to the end.
            try Self.copy(path, to: target, shares: shares, deadline: .now + deadline)
          }
        }
      } catch let error as SystemError where error.errno == ETIMEDOUT && !shares {
        throw tooMuch(name, "what takes longer than \(deadline)")
      } catch let error as SystemError where error.errno == EBUSY {
        throw VolumeError.notCopied(
          volume: name, reason: "somebody has frozen \(mountPoint); thaw it (fsfreeze -u) and repeat")
      }
    }
  }

  private func tooMuch(_ name: String, _ what: String) -> VolumeError {
    .notCopied(
      volume: name,
      reason:
        "it is mounted, the file system of pool \(poolName) has no reflinks, and writers would have to wait for \(what) to be copied; stop the pods that use it, or put the pool on xfs (reflink=1) or btrfs"
    )
  }

  private func use(of name: String) throws -> Use {
    let devices = try LoopDevice.attached(to: imagePath(name)).map { VolumeDevice($0) }
    guard let first = devices.first else { return .none }
    let table = try Mounts.table()
    for device in devices {
      if let directory = device.mountedDirectory(in: table) { return .mounted(directory) }
    }
    return .attached(first.path)
  }

  private static func copy(
    _ path: String, to target: String, shares: Bool, deadline: ContinuousClock.Instant? = nil
  ) throws {
    if shares, try FileCopy.share(path, with: target) {
      try OpenFile(target, .readWrite).sync()
    } else {
      try FileCopy.copy(path, to: target, deadline: deadline)
    }
  }

  /// Whether this file system has reflinks: tried with two small files.
  private func tryShare() throws -> Bool {
    let paths = ["one", "two"].map { "\(directory)/snapshots/\($0)\(DurableFile.temporarySuffix)" }
    defer { for path in paths { try? Directory.removeFile(path) } }
    try OpenFile(paths[0], .truncate).write([UInt8](repeating: 1, count: 4096))
    try OpenFile(paths[1], .truncate).sync()
    return try FileCopy.share(paths[0], with: paths[1])
  }

  // MARK: Recovery

  /// Half-made snapshots go, half-done deletions are finished. What was frozen for a copy is thawed: by now only if the process
  /// that should have done it was killed, too.
  func recoverSnapshots() throws {
    for name in try Directory.names(in: "\(directory)/snapshots") {
      let path = "\(directory)/snapshots/\(name)"
      if name.hasSuffix(DurableFile.temporarySuffix) {
        try DurableFile.remove(path)
        continue
      }
      guard name.hasSuffix(".json") else { continue }
      let snapshot = String(name.dropLast(5))
      guard VolumeName.isValid(snapshot), let bytes = try DurableFile.read(path),
        let record = SnapshotRecord(bytes, name: snapshot)
      else {
        strays.append(path)
        continue
      }
      snapshotRecords[snapshot] = record
    }
    for record in snapshotRecords.values where record.state != .ready {
      if record.state == .creating { try thaw(record.volume) }
      try dropLocked(record.name)
    }
    for name in try Directory.names(in: "\(directory)/snapshots") where name.hasSuffix(".img") {
      if snapshotRecords[String(name.dropLast(4))] == nil { strays.append("\(directory)/snapshots/\(name)") }
    }
  }

  func thaw(_ name: String) throws {
    guard case .mounted(let directory) = try use(of: name) else { return }
    try FileSystem.thaw(directory)
  }
}
