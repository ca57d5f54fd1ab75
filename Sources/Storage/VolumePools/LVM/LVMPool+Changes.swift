import BoundedNumbers
import LinuxSystem

extension LVMPool {
  // MARK: Making

  public func create(_ request: VolumeRequest) async throws -> Volume {
    try await exclusively(request.name, with: request.source) {
      let name = request.name
      let state = try await state()
      let bytes = try VolumeSize.rounded(
        request.bytes, limit: request.limitBytes, unit: state.report.extentBytes, fileSystem: request.fileSystem,
        volume: name)
      if let record = state.volumes[name]?.record {
        guard record.state == .creating || record.state == .deleting else {
          guard record.state != .receiving else { throw VolumeError.moving(volume: name) }
          try record.check(fits: request)
          return volume(of: record, fault: state.fault(of: name))
        }
        try await deleteLocked(name)  // an earlier creation or deletion failed half-way
      }
      let logical = logicalName(name)
      if let other = state.report.logicalVolumes[logical], state.volumes[name] == nil {
        throw VolumeError.conflict(
          volume: name, reason: "as logical volume \(configuration.group)/\(other.name), which is not of this pool")
      }
      var record = VolumeRecord(request, bytes: bytes)
      let origin = try request.source.map { try self.origin($0, for: name, in: state) }
      if let origin { record = try origin.original.record(request, unit: state.report.extentBytes) }
      do {
        try await takingSpace {
          try await reserve(record.bytes, for: name)
          try await lvm(name, "creation", wants: record.bytes) {
            try await change(try creation(of: record, logical, from: origin?.logical.name))
          }
        }
        try done(.createVolume)
        if let origin { try await fill(record, logical, from: origin) }
        try await wipe(record, behind: origin?.original.bytes ?? 0)
        try done(.createWipe)
        let creating = record
        record.state = .ready
        try await save(record, over: creating)
        try done(.createRecord)
      } catch let error as VolumeError {
        // Not a crash: take back what is there. If that fails too, its tags say `creating` and the next start does it.
        if let entry = try? await self.state().volumes[name], entry.record.state == .creating {
          try? await deactivate([logical])
          try? await change(["lvremove", "-q", "-y", "\(configuration.group)/\(logical)"])
        }
        throw error
      }
      logger.info("created volume", metadata: ["volume": "\(name)", "bytes": "\(record.bytes)"])
      return volume(of: record)
    }
  }

  /// The command that makes a logical volume with all its tags, not active: nothing shows it before it is wiped.
  /// - Parameter origin: the logical volume that a thin one begins with.
  func creation(of record: VolumeRecord, _ logical: String, from origin: String? = nil) throws(VolumeError)
    -> [String]
  {
    let tags = try VolumeTags.tags(of: record).sorted().flatMap { ["--addtag", $0] }
    switch configuration.kind {
    case .thick: return linear(logical, bytes: record.bytes, tags: tags)
    case .thin(let pool):
      if let origin {
        return ["lvcreate", "-q", "-y", "-s", "-an", "-kn", "-n", logical] + tags + ["\(configuration.group)/\(origin)"]
      }
      return ["lvcreate", "-q", "-y", "--type", "thin", "-an", "-kn", "-Wn", "-n", logical] + tags
        + ["-V", "\(record.bytes)b", "--thinpool", pool, configuration.group]
    }
  }

  func linear(_ logical: String, bytes: Int64, tags: [String]) -> [String] {
    ["lvcreate", "-q", "-y", "--type", "linear", "--alloc", "normal", "-an", "-Zn", "-Wn", "--setautoactivation", "n"]
      + ["-n", logical] + tags + ["-L", "\(bytes)b", configuration.group]
  }

  // MARK: Growing

  public func expand(_ name: String, to bytes: Int64, limitBytes: Int64 = 0) async throws -> Int64 {
    try await exclusively(name) {
      let state = try await state()
      let record = try existing(name, in: state).record
      let target = try VolumeSize.rounded(
        bytes, limit: limitBytes, unit: state.report.extentBytes, fileSystem: record.fileSystem, volume: name)
      if target <= record.bytes, record.state == .ready {
        guard limitBytes == 0 || record.bytes <= limitBytes else {
          throw VolumeError.invalidSize(
            volume: name,
            reason: "is \(record.bytes) bytes, more than the limit of \(limitBytes); volumes do not shrink")
        }
        return record.bytes
      }
      let final = max(target, record.targetBytes)
      var expanding = record
      expanding.state = .expanding
      expanding.targetBytes = final
      try await takingSpace {
        if final > record.promisedBytes { try await reserve(final - record.promisedBytes, for: name) }
        try await save(expanding, over: record)
      }
      try done(.expandIntent)
      try await expandLocked(name)
      logger.info("expanded volume", metadata: ["volume": "\(name)", "bytes": "\(final)"])
      return final
    }
  }

  /// Finishes what the tags say. One that finds no space after all is given up: the volume stays as it was.
  func expandLocked(_ name: String) async throws {
    let entry = try existing(name, in: try await state())
    let record = entry.record
    let missing = record.targetBytes.clampedSubtracting(record.bytes)
    var ready = record
    ready.state = .ready
    if missing > 0 {
      do { try await extend(entry, by: missing) } catch let error as VolumeError {
        ready.targetBytes = ready.bytes
        switch error {
        case .noSpace, .poolFull: try? await save(ready, over: record)
        default: break
        }
        throw error
      }
    }
    try done(.expandVolume)
    ready.bytes = record.targetBytes
    try await save(ready, over: record)
    try done(.expandRecord)
  }

  private func extend(_ entry: LVMPoolState.Entry, by bytes: Int64) async throws {
    let (name, logical) = (entry.record.name, "\(configuration.group)/\(entry.logical.name)")
    let target = "\(entry.logical.bytes.clampedAdding(bytes))b"
    let isShown = configuration.kind == .thick && configuration.wipes != .none && entry.record.fileSystem == nil
    let extents = isShown ? try await cleanExtents(for: name, bytes: bytes) : []
    try await takingSpace {
      try await lvm(name, "expansion", wants: bytes) {
        // Were somebody to take the extents in between, lvm would find too few, and the volume stays as it is.
        if isShown { try await removeGrowths([growthName(name)]) }
        try await change(["lvextend", "-q", "-L", target, logical] + extents)
      }
    }
  }

  /// A raw volume in use shows what it grows by at once, so new extents are cleared before they are its own: as those of
  /// another logical volume, which then gives them away.
  private func cleanExtents(for name: String, bytes: Int64) async throws -> [String] {
    let growth = growthName(name)
    try await takingSpace {
      try await lvm(name, "expansion", wants: bytes) {
        if try await state().report.logicalVolumes[growth] != nil { try await removeGrowths([growth]) }
        try await change(
          linear(growth, bytes: bytes, tags: ["--addtag", VolumeTags.ours, "--addtag", VolumeTags.growth]))
      }
    }
    try await overwrite(growth, volume: name, ranges: [(0, bytes)], by: configuration.wipes)
    try done(.expandClean)
    let extents = try await state().report.logicalVolumes[growth]?.extents ?? []
    guard !extents.isEmpty else {
      throw VolumeError.failed(volume: name, doing: "expansion", reason: "\(configuration.group)/\(growth) is gone")
    }
    return extents
  }

  func removeGrowths(_ growths: [String]) async throws(LVMError) {
    guard !growths.isEmpty else { return }
    try await deactivate(growths)
    // Their extents are clean: discarding them could bring old bytes back.
    try await change(
      ["lvremove", "-q", "-y", "--config", "devices/issue_discards=0"] + growths.map { "\(configuration.group)/\($0)" })
  }

  private func growthName(_ volume: String) -> String { VolumeTags.growthName(of: volume) }

  // MARK: Removing

  public func delete(_ name: String) async throws {
    guard VolumeName.isValid(name) else { return }  // nothing of that name can exist
    try await exclusively(name) {
      guard try await state().volumes[name] != nil else { return }
      try await deleteLocked(name)
      logger.info("deleted volume", metadata: ["volume": "\(name)"])
    }
  }

  func deleteLocked(_ name: String) async throws {
    guard let entry = try await state().volumes[name] else { return }
    if let user = try user(of: entry) { throw VolumeError.inUse(volume: name, by: user) }
    if try await state().leftovers.contains(growthName(name)) {
      try await lvm(name, "deletion") { try await removeGrowths([growthName(name)]) }
    }
    var record = entry.record
    if record.state != .deleting {
      record.state = .deleting
      try await save(record, over: entry.record)
    }
    try done(.deleteIntent)
    try await letGo(entry)
    try done(.deleteDevice)
    do throws(LVMError) {
      try await change(["lvremove", "-q", "-y", "\(configuration.group)/\(entry.logical.name)"])
    } catch {
      guard error == .volumeMissing else { throw await failure(error, name, doing: "deletion") }
    }
    try done(.deleteVolume)
  }

  // MARK: Parts

  func reserve(_ bytes: Int64, for name: String) async throws {
    let state = try await state()
    if let fullness = state.fullness { throw VolumeError.poolFull(volume: name, pool: poolName, reason: fullness) }
    guard bytes <= state.availableBytes else {
      throw VolumeError.noSpace(
        volume: name, pool: poolName, requestedBytes: bytes, availableBytes: state.availableBytes)
    }
  }

  func existing(_ name: String, in state: LVMPoolState) throws(VolumeError) -> LVMPoolState.Entry {
    guard let entry = state.volumes[name] else { throw .notFound(volume: name) }
    _ = try entry.record.usable()
    return entry
  }

  func logicalName(_ volume: String) -> String { VolumeTags.logicalName(of: volume) }

  /// Writes a record's state into the tags, in one transaction.
  func save(_ record: VolumeRecord, over old: VolumeRecord) async throws {
    let (new, past) = (try VolumeTags.tags(of: record), try VolumeTags.tags(of: old))
    let changes =
      new.subtracting(past).sorted().flatMap { ["--addtag", $0] }
      + past.subtracting(new).sorted().flatMap { ["--deltag", $0] }
    guard !changes.isEmpty else { return }
    // lvcreate(8) has no such option for thin volumes.
    let isNewThin = configuration.kind != .thick && (old.state == .creating || old.state == .receiving)
    try await lvm(record.name, "recording") {
      try await change(
        ["lvchange", "-q"] + changes + (isNewThin ? ["--setautoactivation", "n"] : [])
          + ["\(configuration.group)/\(logicalName(record.name))"])
    }
  }

  /// Runs commands of lvm for a volume; their failures become the volume's.
  func lvm(_ name: String, _ doing: String, wants bytes: Int64 = 0, _ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as LVMError {
      throw await failure(error, name, doing: doing, wants: bytes)
    }
  }
}
