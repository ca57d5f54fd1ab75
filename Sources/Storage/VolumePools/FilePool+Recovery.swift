import LinuxSystem

extension FilePool {
  /// Compares records with the world after a start: half-made volumes go, half-done deletions and expansions are
  /// finished, loop devices nobody uses are let go.
  func recover() async throws {
    for name in try Directory.names(in: "\(directory)/records") {
      let path = "\(directory)/records/\(name)"
      if name.hasSuffix(DurableFile.temporarySuffix) {
        try DurableFile.remove(path)
        continue
      }
      let volume = name.hasSuffix(".json") ? String(name.dropLast(5)) : ""
      guard VolumeName.isValid(volume), let bytes = try DurableFile.read(path),
        let record = VolumeRecord(bytes, name: volume)
      else {
        strays.append(path)
        continue
      }
      records[volume] = record
    }
    try recoverSnapshots()
    for record in records.values {
      switch record.state {
      case .ready, .receiving, .sealed: break
      case .creating, .deleting:
        if record.state == .creating, case .volume(let name) = record.source { try thaw(name) }
        do { try deleteLocked(record.name) } catch VolumeError.inUse(_, let user) {
          logger.warning("volume stays for now", metadata: ["volume": "\(record.name)", "user": "\(user)"])
        }
      case .expanding: try expandLocked(record.name, to: record.targetBytes)
      }
      logger.debug("looked at volume", metadata: ["volume": "\(record.name)", "state": "\(record.state)"])
    }
    for name in try Directory.names(in: "\(directory)/volumes") {
      guard name.hasSuffix(".img"), records[String(name.dropLast(4))] != nil else {
        strays.append("\(directory)/volumes/\(name)")
        continue
      }
    }
    if !strays.isEmpty {
      logger.warning(
        "files of no volume are left alone", metadata: ["files": "\(strays.prefix(20).joined(separator: " "))"])
    }
    try detachUnused()
  }

  /// Lets every loop device of this pool go that is neither mounted nor shown as a raw block volume.
  private func detachUnused() throws {
    let table = try Mounts.table()
    for (device, file) in try LoopDevice.below("\(directory)/volumes") {
      guard try VolumeDevice(device).use(in: table) == nil else { continue }
      try device.detach()
      logger.info("let an unused loop device go", metadata: ["device": "\(device.path)", "file": "\(file)"])
    }
  }

  /// Where the volume is mounted or bound; `nil` if nowhere.
  func user(of name: String) throws -> String? {
    let devices = try LoopDevice.attached(to: imagePath(name))
    guard !devices.isEmpty else { return nil }
    let table = try Mounts.table()
    for device in devices {
      if let user = try VolumeDevice(device).use(in: table) { return user }
    }
    return nil
  }
}
