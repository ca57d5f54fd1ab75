import BoundedNumbers
import LinuxSystem

extension LVMPool {
  /// What something new begins with, and the logical volume that holds it.
  struct Origin: Sendable {
    let original: VolumeOriginal
    let logical: LVMReport.LogicalVolume
  }

  // MARK: Changes

  public func createSnapshot(_ name: String, of volume: String) async throws -> VolumeSnapshot {
    guard VolumeName.isValid(name) else { throw VolumeError.invalidName(name) }
    guard VolumeName.isValid(volume) else { throw VolumeError.notFound(volume: volume) }
    return try await alone([VolumeSource.snapshot(name).gateKey, volume]) {
      try await createSnapshotLocked(name, of: volume)
    }
  }

  private func createSnapshotLocked(_ name: String, of volume: String) async throws -> VolumeSnapshot {
    let state = try await state()
    if let entry = state.snapshots[name] {
      if entry.record.state == .ready {
        try entry.record.check(isOf: volume)
        return entry.record.snapshot(fault: state.fault(of: entry.logical))
      }
      try await dropLocked(entry)  // an earlier one failed half-way
    }
    let source = try existing(volume, in: state)
    let logical = VolumeTags.snapshotName(of: name)
    if state.snapshots[name] == nil, state.report.logicalVolumes[logical] != nil {
      throw VolumeError.snapshotConflict(
        snapshot: name, reason: "as logical volume \(configuration.group)/\(logical), which is not of this pool")
    }
    let bytes = source.logical.bytes
    var record = SnapshotRecord(name, of: source.record, bytes: bytes, promisedBytes: bytes)
    do {
      switch configuration.kind {
      case .thin:
        // One transaction; LVM has a mounted file system wait meanwhile.
        record.state = .ready
        let tags = try VolumeTags.tags(of: record).sorted().flatMap { ["--addtag", $0] }
        try await takingSpace {
          try await reserve(bytes, for: volume)
          try await lvm(volume, "taking a snapshot", wants: bytes) {
            try await change(
              ["lvcreate", "-q", "-y", "-s", "-an", "-pr", "-n", logical] + tags
                + ["\(configuration.group)/\(source.logical.name)"])
          }
        }
        try done(.snapshotVolume)
      case .thick:
        let tags = try VolumeTags.tags(of: record).sorted().flatMap { ["--addtag", $0] }
        try await takingSpace {
          try await reserve(bytes, for: volume)
          try await lvm(volume, "taking a snapshot", wants: bytes) {
            try await change(linear(logical, bytes: bytes, tags: tags))
          }
        }
        try done(.snapshotVolume)
        try await copy(
          Origin(original: VolumeOriginal(source.record, bytes: bytes), logical: source.logical), to: logical,
          for: volume)
        try done(.snapshotCopy)
        let creating = record
        record.state = .ready
        try await save(record, over: creating)
      }
      try done(.snapshotRecord)
    } catch let error as VolumeError {
      if let entry = try? await self.state().snapshots[name], entry.record.state == .creating {
        try? await dropLocked(entry)
      }
      throw error
    }
    logger.info("took a snapshot", metadata: ["snapshot": "\(name)", "volume": "\(volume)"])
    return record.snapshot(fault: nil)
  }

  public func deleteSnapshot(_ name: String) async throws {
    guard VolumeName.isValid(name) else { return }
    try await alone([VolumeSource.snapshot(name).gateKey]) {
      guard let entry = try await state().snapshots[name] else { return }
      try await dropLocked(entry)
      logger.info("deleted snapshot", metadata: ["snapshot": "\(name)"])
    }
  }

  /// Takes a snapshot's logical volume away, in one transaction.
  func dropLocked(_ entry: LVMPoolState.SnapshotEntry) async throws {
    try await remove(entry.logical.name, "deletion of snapshot \(entry.record.name)", volume: entry.record.volume)
    try done(.dropVolume)
  }

  /// Fine if it is gone. One that somebody looks at (udev) is waited for.
  private func remove(_ logical: String, _ doing: String, volume: String) async throws {
    for attempt in 1...5 {
      do throws(LVMError) {
        try await change(["lvremove", "-q", "-y", "\(configuration.group)/\(logical)"])
        return
      } catch {
        if error == .volumeMissing { return }
        guard error == .inUse, attempt < 5 else { throw await failure(error, volume, doing: doing) }
      }
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private func save(_ record: SnapshotRecord, over old: SnapshotRecord) async throws {
    let (new, past) = (try VolumeTags.tags(of: record), try VolumeTags.tags(of: old))
    let changes =
      new.subtracting(past).sorted().flatMap { ["--addtag", $0] }
      + past.subtracting(new).sorted().flatMap { ["--deltag", $0] }
    try await lvm(record.volume, "recording snapshot \(record.name)") {
      try await change(
        ["lvchange", "-q"] + changes + ["\(configuration.group)/\(VolumeTags.snapshotName(of: record.name))"])
    }
  }

  // MARK: Copying

  /// - Throws: `VolumeError.sourceNotFound`, `moving`.
  func origin(_ source: VolumeSource, for volume: String, in state: LVMPoolState) throws(VolumeError) -> Origin {
    switch source {
    case .snapshot(let name):
      if let entry = state.snapshots[name], entry.record.state == .ready {
        return Origin(original: VolumeOriginal(entry.record), logical: entry.logical)
      }
    case .volume(let name):
      if let entry = state.volumes[name], entry.record.state.isTold {
        _ = try entry.record.usable()
        return Origin(original: VolumeOriginal(entry.record, bytes: entry.logical.bytes), logical: entry.logical)
      }
    }
    throw .sourceNotFound(volume: volume, source: source)
  }

  /// Gives a new logical volume what it begins with. A thin one was made with it, and gets its size here.
  func fill(_ record: VolumeRecord, _ logical: String, from origin: Origin) async throws {
    switch configuration.kind {
    case .thick: try await copy(origin, to: logical, for: record.name)
    case .thin:
      if record.bytes > origin.original.bytes {
        try await lvm(record.name, "creation", wants: record.bytes) {
          try await change(["lvextend", "-q", "-L", "\(record.bytes)b", "\(configuration.group)/\(logical)"])
        }
      }
    }
    try done(.createCopy)
  }

  /// Copies what a logical volume holds at one instant. One that is in use is kept as it is now by a snapshot of LVM's, for
  /// which a quarter of its size is set aside: if more is written meanwhile, the copy is given up.
  private func copy(_ origin: Origin, to target: String, for volume: String) async throws {
    guard let current = try await freshState().report.logicalVolumes[origin.logical.name] else {
      throw VolumeError.sourceNotFound(volume: volume, source: origin.original.source)
    }
    guard current.isActive, case .volume(let source) = origin.original.source else {
      let device = try await activate(current.name, volume: volume)
      try await copyDevice(device.path, to: target, bytes: origin.original.bytes, for: volume)
      return try await lvm(volume, "copying") { try await deactivate([current.name]) }
    }
    let copy = VolumeTags.copyName(of: target)
    let extent = try await state().report.extentBytes
    let quarter = max(64 << 20, origin.original.bytes / 4).clampedAdding(extent - 1) / extent * extent
    let bytes = max(extent, min(quarter, origin.original.bytes))
    if try await state().copies.contains(copy) { try await remove(copy, "copying", volume: volume) }
    try await takingSpace {
      try await reserve(bytes, for: volume)
      try await lvm(volume, "copying", wants: bytes) {
        try await change(
          ["lvcreate", "-q", "-y", "-s", "-L", "\(bytes)b", "-n", copy, "--addtag", VolumeTags.ours, "--addtag"]
            + [VolumeTags.copy, "\(configuration.group)/\(current.name)"])
      }
    }
    try done(.copyBegun)
    do {
      let device = try node(of: copy)
      guard let device else {
        throw VolumeError.failed(
          volume: volume, doing: "copying",
          reason: "/dev/\(configuration.group)/\(copy) is not there; see whether udev runs")
      }
      try await copyDevice(device.path, to: target, bytes: origin.original.bytes, for: volume)
    } catch {
      let isFull = try? await freshState().report.logicalVolumes[copy]?.isInvalid
      try? await remove(copy, "copying", volume: volume)
      if isFull == true {
        throw VolumeError.notCopied(
          volume: source,
          reason:
            "more than the \(bytes) bytes that were set aside were written to it meanwhile; repeat when less is written, or stop the pods that use it"
        )
      }
      throw error
    }
    try await remove(copy, "copying", volume: volume)
  }

  private func copyDevice(_ path: String, to target: String, bytes: Int64, for volume: String) async throws {
    let device = try await activate(target, volume: volume)
    do {
      try await BlockingWork.run { try FileCopy.copyDevice(path, to: device.path, bytes: bytes) }
    } catch { throw VolumeError.failed(volume: volume, doing: "copying", reason: "\(error)") }
    try await lvm(volume, "copying") { try await deactivate([target]) }
  }

  // MARK: Recovery

  /// What was copied of volumes in use when the process ended, and half-made snapshots, go.
  func recoverSnapshots(_ state: LVMPoolState) async {
    func tryTo(_ what: String, _ name: String, _ body: () async throws -> Void) async {
      do { try await body() } catch {
        logger.warning("what an interrupted copy left stays for now", metadata: [what: "\(name)", "error": "\(error)"])
      }
    }
    for copy in state.copies { await tryTo("volume", copy) { try await remove(copy, "recovery", volume: copy) } }
    for entry in state.snapshots.values.sorted(by: { $0.record.name < $1.record.name }) {
      if entry.record.state != .ready {
        await tryTo("snapshot", entry.record.name) { try await dropLocked(entry) }
      } else if entry.logical.isActive, !entry.logical.isOpen {
        await tryTo("snapshot", entry.record.name) { try await deactivate([entry.logical.name]) }
      }
    }
  }
}
