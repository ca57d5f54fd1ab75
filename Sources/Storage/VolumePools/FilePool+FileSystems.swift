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
      let device = try converting(name, "preparing \(type.rawValue)") { VolumeDevice(try self.device(of: record)) }
      try await device.prepare(
        record, readsZeros: true, user: { try user(of: name) }, save: { try save($0) },
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
      let record = try existing(name)
      guard let type = record.fileSystem, record.fileSystemBytes < record.bytes else { return }
      let device = try converting(name, "growing \(type.rawValue)") { VolumeDevice(try self.device(of: record)) }
      if let refusal = try await device.grow(record, type, mountPoint: mountPoint) {
        logger.warning("ext4 did not grow while mounted", metadata: ["volume": "\(name)", "error": "\(refusal)"])
        throw VolumeError.growNeedsUnmount(volume: name)
      }
      guard let record = records[name] else { return }
      try converting(name, "growing \(type.rawValue)") { try save(record.grown) }
    }
  }
}
