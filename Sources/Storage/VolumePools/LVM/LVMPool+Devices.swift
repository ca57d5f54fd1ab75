import LinuxSystem

extension LVMPool {
  public func attach(_ name: String) async throws -> String {
    try await exclusively(name) {
      let entry = try existing(name, in: try await state())
      return try await device(of: entry).path
    }
  }

  public func detach(_ name: String) async throws {
    guard VolumeName.isValid(name) else { return }
    try await exclusively(name) {
      guard let entry = try await state().volumes[name] else { return }
      if let user = try user(of: entry) { throw VolumeError.inUse(volume: name, by: user) }
      // Whoever reads it lets the device go.
      guard lent[name] == nil else { return }
      try await letGo(entry)
    }
  }

  public func prepareFileSystem(_ name: String) async throws {
    try await exclusively(name) {
      let entry = try existing(name, in: try await state())
      guard let type = entry.record.fileSystem else { return }
      let device = try await device(of: entry)
      var saved = entry.record
      try await device.prepare(
        entry.record, readsZeros: configuration.kind != .thick, user: { try user(of: entry) },
        save: { record in
          try await save(record, over: saved)
          saved = record
        },
        after: { step in
          switch step {
          case .intent: try done(.formatIntent)
          case .done:
            try done(.formatDone)
            logger.info("made a file system", metadata: ["volume": "\(name)", "type": "\(type.rawValue)"])
          case .record: try done(.formatRecord)
          }
        })
    }
  }

  public func growFileSystem(_ name: String, mountPoint: String) async throws {
    try await exclusively(name) {
      let entry = try existing(name, in: try await state())
      let record = entry.record
      guard let type = record.fileSystem, record.fileSystemBytes < record.bytes else { return }
      if let refusal = try await device(of: entry).grow(record, type, mountPoint: mountPoint) {
        logger.warning("ext4 did not grow while mounted", metadata: ["volume": "\(name)", "error": "\(refusal)"])
        throw VolumeError.growNeedsUnmount(volume: name)
      }
      try await save(record.grown, over: record)
    }
  }

  // MARK: Parts

  /// Where the logical volume is mounted or bound in this namespace; `nil` if nowhere.
  func user(of entry: LVMPoolState.Entry) throws -> String? {
    do {
      guard let device = try node(of: entry.logical.name) else { return nil }
      return try device.use(in: try Mounts.table())
    } catch {
      throw VolumeError.failed(volume: entry.record.name, doing: "looking for users", reason: "\(error)")
    }
  }

  /// The device of a volume, made active if it is not.
  func device(of entry: LVMPoolState.Entry) async throws -> VolumeDevice {
    if entry.logical.isActive, let device = try? node(of: entry.logical.name) { return device }
    let device = try await activate(entry.logical.name, volume: entry.record.name)
    try done(.attachDevice)
    return device
  }

  func activate(_ logical: String, volume: String) async throws -> VolumeDevice {
    try await lvm(volume, "attaching") {
      try await change(["lvchange", "-q", "-ay", "-K", "\(configuration.group)/\(logical)"])
    }
    do {
      if let device = try node(of: logical) { return device }
    } catch { throw VolumeError.failed(volume: volume, doing: "attaching", reason: "\(error)") }
    throw VolumeError.failed(
      volume: volume, doing: "attaching",
      reason: "/dev/\(configuration.group)/\(logical) is not there after lvchange -ay; see whether udev runs")
  }

  /// The node behind `/dev/<group>/<volume>`; `nil` if there is none.
  func node(of logical: String) throws -> VolumeDevice? {
    let link = "/dev/\(configuration.group)/\(logical)"
    guard FileStatus.exists(link) else { return nil }
    let path = try Directory.canonicalPath(link)
    guard let status = try FileStatus(of: path), status.kind == .blockDevice else { return nil }
    let number = DeviceNumber(status.specialDevice)
    func mapped(_ name: String) -> String {
      name.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--")
    }
    return VolumeDevice(
      path: path, major: number.major, minor: number.minor,
      nodes: [
        "dm-\(number.minor)", "mapper/\(mapped(configuration.group))-\(mapped(logical))", String(path.dropFirst(5)),
      ])
  }

  /// Takes the device away. One that somebody has open for a moment only (udev looks at each) is waited for; lvm itself would
  /// try for five seconds, with the group locked.
  func letGo(_ entry: LVMPoolState.Entry) async throws {
    let name = entry.record.name
    let device = try? node(of: entry.logical.name)
    func inUse() -> VolumeError { .inUse(volume: name, by: device?.distantUser ?? "its device is open") }
    for attempt in 1...5 {
      guard try await freshState().volumes[name]?.logical.isOpen == true else { break }
      guard attempt < 5 else { throw inUse() }
      try await Task.sleep(for: .milliseconds(100))
    }
    do throws(LVMError) { try await deactivate([entry.logical.name]) } catch {
      switch error {
      case .volumeMissing: return
      case .inUse: throw inUse()
      default: throw await failure(error, name, doing: "detaching")
      }
    }
  }

  /// Fine for those that are not active.
  func deactivate(_ logical: [String]) async throws(LVMError) {
    try await change(["lvchange", "-q", "-an"] + logical.map { "\(configuration.group)/\($0)" })
  }

  // MARK: Wiping

  /// Clears what others left where a new volume lies.
  /// - Parameter start: bytes that it begins with, which stay.
  func wipe(_ record: VolumeRecord, behind start: Int64 = 0) async throws {
    guard configuration.kind == .thick, start < record.bytes else { return }
    let logical = logicalName(record.name)
    if record.fileSystem == nil, configuration.wipes != .none {
      try await overwrite(
        logical, volume: record.name, ranges: [(start, record.bytes - start)], by: configuration.wipes)
    }
    if record.fileSystem != nil || configuration.wipes != .zero {
      try await overwrite(logical, volume: record.name, ranges: Self.ends(of: record.bytes, behind: start), by: .zero)
    }
  }

  /// Where signatures of file systems, partition tables and volumes lie: the first and last 4 MiB.
  /// - Parameter start: where what is to be cleared begins; below the size.
  static func ends(of bytes: Int64, behind start: Int64 = 0) -> [(offset: Int64, bytes: Int64)] {
    let length: Int64 = 4 << 20
    guard bytes - start > 2 * length else { return [(offset: start, bytes: bytes - start)] }
    return [(offset: start, bytes: length), (offset: bytes - length, bytes: length)]
  }

  /// Overwrites stretches of a logical volume that nobody else sees yet, in pieces with a deadline each. A piece that was
  /// begun is finished even if the caller is cancelled.
  func overwrite(
    _ logical: String, volume: String, ranges: [(offset: Int64, bytes: Int64)], by wiping: Wiping
  ) async throws {
    let device = try await activate(logical, volume: volume)
    for range in ranges {
      var start = range.offset
      while start < range.offset + range.bytes {
        let length = min(4 << 30, range.offset + range.bytes - start)
        let arguments =
          ["-f"] + (wiping == .discard ? [] : ["-z"]) + ["-o", "\(start)", "-l", "\(length)", device.path]
        do {
          // Detached: a piece that was begun is finished, whoever gives up.
          _ = try await Task.detached {
            try await Command.run("blkdiscard", arguments, timeout: .seconds(1800))
          }.value
        } catch { throw VolumeError.failed(volume: volume, doing: "wiping", reason: "\(error)") }
        start += length
      }
    }
    try await lvm(volume, "wiping") { try await deactivate([logical]) }
  }
}
