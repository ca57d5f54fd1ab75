import LinuxSystem

extension FilePool {
  public func attach(_ name: String) async throws -> String {
    try await exclusively(name) {
      let record = try existing(name)
      return try converting(name, "attaching") { try device(of: record).path }
    }
  }

  private func device(of record: VolumeRecord) throws -> LoopDevice {
    if let device = try LoopDevice.attached(to: imagePath(record.name)).first { return device }
    let device = try LoopDevice.attach(imagePath(record.name))
    try done(.attachDevice)
    return device
  }

  public func detach(_ name: String) async throws {
    guard VolumeName.isValid(name) else { return }
    try await exclusively(name) {
      try converting(name, "detaching") {
        if let user = try user(of: name) { throw VolumeError.inUse(volume: name, by: user) }
        for device in try LoopDevice.attached(to: imagePath(name)) { try device.detach() }
      }
    }
  }

  public func prepareFileSystem(_ name: String) async throws {
    try await exclusively(name) {
      let record = try existing(name)
      guard let type = record.fileSystem else { return }
      do {
        let device = try device(of: record)
        switch record.format {
        case .formatted: try await check(record, type, device)
        case .blank:
          if let found = try await signature(on: device) {
            throw VolumeError.foreignData(volume: name, found: found)
          }
          try await make(record, type, device)
        case .formatting: try await make(record, type, device)
        }
      } catch let error as SystemError {
        throw VolumeError.failed(volume: name, doing: "preparing \(type.rawValue)", reason: "\(error)")
      } catch let error as CommandError {
        throw VolumeError.failed(volume: name, doing: "preparing \(type.rawValue)", reason: "\(error)")
      }
    }
  }

  /// What is on the device (a file system, a partition table, …); `nil` if it is blank.
  private func signature(on device: LoopDevice) async throws -> String? {
    let result = try await Command.result("blkid", ["-p", "-o", "export", device.path])
    if result.exitCode == 2, result.standardOutput.isEmpty { return nil }
    let words = result.standardOutput.split(separator: "\n").filter { $0.hasPrefix("TYPE=") || $0.hasPrefix("PTTYPE=") }
    return words.isEmpty ? "unknown data" : words.joined(separator: " ")
  }

  private func make(_ record: VolumeRecord, _ type: FileSystemType, _ device: LoopDevice) async throws {
    var record = record
    record.format = .formatting
    try save(record)
    try done(.formatIntent)
    switch type {
    // The file is one hole: discarding first (-K, nodiscard leave it out) would cost time and give nothing.
    case .xfs: try await Command.run("mkfs.xfs", ["-q", "-f", "-K", device.path])
    case .ext4:
      try await Command.run(
        "mkfs.ext4",
        ["-q", "-F", "-m", "0", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", device.path])
    }
    try done(.formatDone)
    record.format = .formatted
    record.fileSystemBytes = record.bytes
    try save(record)
    try done(.formatRecord)
    logger.info("made a file system", metadata: ["volume": "\(record.name)", "type": "\(type.rawValue)"])
  }

  /// xfs replays its log on mounting; ext4 is checked (at once, if clean) and grown where mounted growing failed.
  private func check(_ record: VolumeRecord, _ type: FileSystemType, _ device: LoopDevice) async throws {
    guard type == .ext4, try user(of: record.name) == nil else { return }
    let mustGrow = record.fileSystemBytes < record.bytes
    let result = try await Command.result("e2fsck", mustGrow ? ["-f", "-p", device.path] : ["-p", device.path])
    guard result.exitCode <= 1 else {
      throw CommandError.failed(
        program: "e2fsck", arguments: [device.path], exitCode: result.exitCode,
        errorTail: String((result.standardOutput + result.standardError).suffix(500)))
    }
    guard mustGrow else { return }
    try await Command.run("resize2fs", [device.path])
    try recordGrown(record.name)
  }

  public func growFileSystem(_ name: String, mountPoint: String) async throws {
    try await exclusively(name) {
      let record = try existing(name)
      guard let type = record.fileSystem, record.fileSystemBytes < record.bytes else { return }
      do {
        switch type {
        case .xfs: try await Command.run("xfs_growfs", [mountPoint])
        case .ext4:
          let device = try device(of: record)
          let result = try await Command.result("resize2fs", [device.path])
          guard result.exitCode == 0 else {
            logger.warning(
              "ext4 did not grow while mounted",
              metadata: ["volume": "\(name)", "error": "\(result.standardError.suffix(300))"])
            throw VolumeError.growNeedsUnmount(volume: name)
          }
        }
        try recordGrown(name)
      } catch let error as SystemError {
        throw VolumeError.failed(volume: name, doing: "growing \(type.rawValue)", reason: "\(error)")
      } catch let error as CommandError {
        throw VolumeError.failed(volume: name, doing: "growing \(type.rawValue)", reason: "\(error)")
      }
    }
  }

  private func recordGrown(_ name: String) throws {
    guard var record = records[name] else { return }
    record.fileSystemBytes = record.bytes
    try save(record)
  }
}
