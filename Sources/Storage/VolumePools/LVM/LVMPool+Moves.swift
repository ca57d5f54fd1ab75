extension LVMPool {
  public func traits(of name: String) async throws -> VolumeTraits {
    guard let record = try await state().volumes[name]?.record, record.state.isTold else {
      throw VolumeError.notFound(volume: name)
    }
    return record.traits
  }

  public func receive(_ name: String, _ traits: VolumeTraits) async throws {
    try await exclusively(name) {
      let state = try await state()
      if let record = state.volumes[name]?.record {
        guard record.state == .creating || record.state == .deleting else { return try record.check(receives: traits) }
        try await deleteLocked(name)  // an earlier change ended half-way
      }
      let logical = logicalName(name)
      guard state.report.logicalVolumes[logical] == nil || state.volumes[name] != nil else {
        throw VolumeError.conflict(
          volume: name, reason: "as logical volume \(configuration.group)/\(logical), which is not of this pool")
      }
      let bytes = try VolumeSize.rounded(
        traits.bytes, limit: 0, unit: state.report.extentBytes, fileSystem: traits.fileSystem, volume: name)
      // Not wiped: all its bytes are written before anybody may use it.
      let record = VolumeRecord(receiving: name, traits, bytes: bytes)
      try await takingSpace {
        try await reserve(bytes, for: name)
        try await lvm(name, "receiving", wants: bytes) { try await change(try creation(of: record, logical)) }
      }
      try done(.createVolume)
    }
  }

  public func completeReceiving(_ name: String, _ traits: VolumeTraits) async throws {
    try await exclusively(name) {
      guard let entry = try await freshState().volumes[name] else { throw VolumeError.notFound(volume: name) }
      try entry.record.check(receives: traits)
      guard entry.record.state == .receiving else { return }
      try await save(entry.record.received(traits), over: entry.record)
      try done(.receiveRecord)
    }
  }

  public func seal(_ name: String) async throws {
    try await exclusively(name) {
      guard let entry = try await freshState().volumes[name] else { throw VolumeError.notFound(volume: name) }
      guard entry.record.state != .sealed else { return }
      var record = try entry.record.usable()
      guard record.state == .ready, record.format != .formatting, lent[name] == nil else {
        throw VolumeError.inUse(volume: name, by: lent[name] == nil ? "it is being changed" : "it is being copied")
      }
      if let user = try user(of: entry) { throw VolumeError.inUse(volume: name, by: user) }
      try await letGo(entry)
      record.state = .sealed
      try await save(record, over: entry.record)
      try done(.sealRecord)
    }
  }

  public func unseal(_ name: String) async throws {
    try await exclusively(name) {
      guard let entry = try await freshState().volumes[name] else { throw VolumeError.notFound(volume: name) }
      var record = entry.record
      guard record.state == .sealed else {
        _ = try record.usable()
        return
      }
      record.state = .ready
      try await save(record, over: entry.record)
      try done(.sealRecord)
    }
  }

  public func movingVolumes() async throws -> [String: MovingState] {
    try await state().volumes.compactMapValues(\.record.movingState)
  }

  public func lendContents(of name: String, writing: Bool) async throws -> VolumeContents {
    try await exclusively(name) {
      guard let entry = try await state().volumes[name],
        writing ? entry.record.state == .receiving : entry.record.state.isTold
      else { throw VolumeError.notFound(volume: name) }
      let device = try await device(of: entry)
      do {
        let contents = try VolumeContents(device.path, bytes: entry.record.bytes, writing: writing)
        lent[name, default: 0] += 1
        return contents
      } catch { throw VolumeError.failed(volume: name, doing: "opening", reason: "\(error)") }
    }
  }

  public func returnContents(of name: String) async {
    // A device that stays active is let go with its volume, or at the next start.
    try? await exclusively(name) {
      lent[name] = lent[name].flatMap { $0 > 1 ? $0 - 1 : nil }
      guard lent[name] == nil, let entry = try await state().volumes[name], try user(of: entry) == nil else { return }
      do { try await letGo(entry) } catch VolumeError.inUse {}
    }
  }
}
