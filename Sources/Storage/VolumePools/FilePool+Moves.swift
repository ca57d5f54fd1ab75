import LinuxSystem

extension FilePool {
  public func traits(of name: String) async throws -> VolumeTraits {
    guard let record = records[name], record.state.isTold else { throw VolumeError.notFound(volume: name) }
    return record.traits
  }

  public func receive(_ name: String, _ traits: VolumeTraits) async throws {
    try await exclusively(name) {
      if let record = records[name], record.state != .creating, record.state != .deleting {
        return try record.check(receives: traits)
      }
      if records[name] != nil { try deleteLocked(name) }  // an earlier change ended half-way
      let bytes = try Self.roundedSize(traits.bytes, limit: 0, fileSystem: traits.fileSystem, volume: name)
      var record = VolumeRecord(receiving: name, traits, bytes: bytes)
      record.state = .creating
      _ = try await make(record, from: nil, becoming: .receiving, doing: "receiving")
    }
  }

  public func completeReceiving(_ name: String, _ traits: VolumeTraits) async throws {
    try await exclusively(name) {
      guard let record = records[name] else { throw VolumeError.notFound(volume: name) }
      try record.check(receives: traits)
      guard record.state == .receiving else { return }
      try converting(name, "receiving") {
        try save(record.received(traits))
        try done(.receiveRecord)
      }
    }
  }

  public func seal(_ name: String) async throws {
    try await exclusively(name) {
      guard var record = records[name] else { throw VolumeError.notFound(volume: name) }
      guard record.state != .sealed else { return }
      record = try record.usable()
      guard record.state == .ready, record.format != .formatting else {
        throw VolumeError.inUse(volume: name, by: "it is being changed")
      }
      try converting(name, "sealing") {
        if let user = try user(of: name) { throw VolumeError.inUse(volume: name, by: user) }
        for device in try LoopDevice.attached(to: imagePath(name)) { try device.detach() }
        // One that is still there has a user in another namespace.
        if let device = try LoopDevice.attached(to: imagePath(name)).first {
          throw VolumeError.inUse(volume: name, by: VolumeDevice(device).distantUser)
        }
        record.state = .sealed
        try save(record)
        try done(.sealRecord)
      }
    }
  }

  public func unseal(_ name: String) async throws {
    try await exclusively(name) {
      guard var record = records[name] else { throw VolumeError.notFound(volume: name) }
      guard record.state == .sealed else {
        _ = try record.usable()
        return
      }
      record.state = .ready
      try converting(name, "unsealing") {
        try save(record)
        try done(.sealRecord)
      }
    }
  }

  public func movingVolumes() async throws -> [String: MovingState] { records.compactMapValues(\.movingState) }

  public func lendContents(of name: String, writing: Bool) async throws -> VolumeContents {
    guard let record = records[name], writing ? record.state == .receiving : record.state.isTold else {
      throw VolumeError.notFound(volume: name)
    }
    return try converting(name, "opening") {
      try VolumeContents(imagePath(name), bytes: record.bytes, writing: writing)
    }
  }

  public func returnContents(of name: String) async {}
}
