import LinuxSystem

/// What of a format a pool writes down, in order.
enum FormatStep: Sendable {
  case intent, done, record
}

extension VolumeDevice {
  /// What is on the device (a file system, a partition table, …); `nil` if it is blank.
  func signature() async throws -> String? {
    let result = try await Command.result("blkid", ["-p", "-o", "export", path])
    if result.exitCode == 2, result.standardOutput.isEmpty { return nil }
    let words = result.standardOutput.split(separator: "\n").filter { $0.hasPrefix("TYPE=") || $0.hasPrefix("PTTYPE=") }
    return words.isEmpty ? "unknown data" : words.joined(separator: " ")
  }

  /// Makes a volume mountable: formats it if it is blank, checks and grows it if it is not. Raw volumes are left alone.
  /// - Parameters:
  ///   - readsZeros: nothing was ever written to the device, so what mkfs skips reads as zeros.
  ///   - user: who uses the volume; one that is in use is not checked.
  ///   - save: writes the record down for good.
  ///   - after: called after each step of formatting; an error it throws leaves the change as it is.
  /// - Throws: `VolumeError`.
  func prepare(
    _ record: VolumeRecord, readsZeros: Bool, isolation: isolated (any Actor)? = #isolation,
    user: () async throws -> String?, save: (VolumeRecord) async throws -> Void,
    after: (FormatStep) throws -> Void
  ) async throws {
    guard let type = record.fileSystem else { return }
    do {
      switch record.format {
      case .formatted:
        guard type == .ext4, try await user() == nil else { return }
        try await check(grows: record.fileSystemBytes < record.bytes)
        if record.fileSystemBytes < record.bytes { try await save(record.grown) }
      case .blank, .formatting:
        if record.format == .blank, let found = try await signature() {
          throw VolumeError.foreignData(volume: record.name, found: found)
        }
        var record = record
        record.format = .formatting
        try await save(record)
        try after(.intent)
        try await format(as: type, readsZeros: readsZeros)
        try after(.done)
        record.format = .formatted
        try await save(record.grown)
        try after(.record)
      }
    } catch let error as SystemError {
      throw VolumeError.failed(volume: record.name, doing: "preparing \(type.rawValue)", reason: "\(error)")
    } catch let error as CommandError {
      throw VolumeError.failed(volume: record.name, doing: "preparing \(type.rawValue)", reason: "\(error)")
    }
  }

  private func format(as type: FileSystemType, readsZeros: Bool) async throws {
    switch type {
    // Discarding first (-K, nodiscard leave it out) would cost time and give nothing: what is new has no blocks yet, or
    // is rewritten soon.
    case .xfs: try await Command.run("mkfs.xfs", ["-q", "-f", "-K", path])
    case .ext4:
      // A journal that is cleared later must not show older blocks meanwhile.
      try await Command.run(
        "mkfs.ext4",
        [
          "-q", "-F", "-m", "0", "-E",
          "nodiscard,lazy_itable_init=1,lazy_journal_init=\(readsZeros ? 1 : 0)", path,
        ])
    }
  }

  /// ext4 is checked (at once, if clean) and grown where mounted growing failed; xfs replays its log on mounting.
  private func check(grows: Bool) async throws {
    let result = try await Command.result("e2fsck", grows ? ["-f", "-p", path] : ["-p", path])
    guard result.exitCode <= 1 else {
      throw CommandError.failed(
        program: "e2fsck", arguments: [path], exitCode: result.exitCode,
        errorTail: String((result.standardOutput + result.standardError).suffix(500)))
    }
    if grows { try await Command.run("resize2fs", [path]) }
  }

  /// Grows the mounted file system of a volume to the device's size.
  /// - Returns: what ext4 said if it did not grow while mounted; `nil` if the file system has grown.
  /// - Throws: `VolumeError`.
  func grow(_ record: VolumeRecord, _ type: FileSystemType, mountPoint: String) async throws -> String? {
    do {
      switch type {
      case .xfs: try await Command.run("xfs_growfs", [mountPoint])
      case .ext4:
        let result = try await Command.result("resize2fs", [path])
        if result.exitCode != 0 { return String(result.standardError.suffix(300)) }
      }
      return nil
    } catch let error as CommandError {
      throw VolumeError.failed(volume: record.name, doing: "growing \(type.rawValue)", reason: "\(error)")
    }
  }
}
