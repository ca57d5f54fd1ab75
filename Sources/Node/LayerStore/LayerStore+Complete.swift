import LinuxSystem
import OCI

extension LayerStore {
  /// Fetches soon what will be read: ranges of the device, in the order in which they will be needed.
  public func prefetch(_ key: LayerKey, _ ranges: [Range<Int64>]) async throws {
    guard let fill = try await fillForUse(key) else { return }
    var seen: Set<Int> = []
    let pieces = ranges.flatMap { fill.presence.missingPieces($0) }.filter { seen.insert($0).inserted }
    order(fill, pieces)
  }

  /// Fetches soon what a stretch of the blob holds.
  public func prefetch(_ key: LayerKey, blob range: Range<Int64>) async throws {
    guard let fill = try await fillForUse(key) else { return }
    let pieces = fill.map.pieces(touchingBlob: range).filter { !fill.presence.isPresent(piece: $0) }
    order(fill, pieces)
  }

  /// Fetches everything that is missing.
  /// - Returns: when the layer is complete, verified and durable.
  /// - Throws: what fetching throws.
  public func complete(_ key: LayerKey) async throws {
    guard let fill = try await fillForUse(key) else { return }
    try await Self.fetchAll(fill, .prefetch, requests: max(2, configuration.backgroundRequests))
    try await finish(key)
  }

  private func fillForUse(_ key: LayerKey) async throws -> LayerFill? {
    guard entries[key]?.record.isComplete != true else { return nil }
    return try await exclusively(key) { entries[key]?.record.isComplete == true ? nil : try await load(key) }
  }

  /// Fetches all missing pieces in the order of the blob.
  /// - Parameters:
  ///   - pace: of what nobody waits for.
  ///   - room: what of the disk it may take.
  static func fetchAll(
    _ fill: LayerFill, _ cause: FillCause, requests: Int, pace: BackgroundPace? = nil, room: SpareRoom? = nil
  ) async throws {
    while !fill.presence.isComplete {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<max(1, requests) {
          group.addTask {
            while true {
              try await pace?.wait()
              try room?.check()
              guard let bytes = try await fill.fillNext(cause) else { return }
              await pace?.pay(bytes)
            }
          }
        }
        try await group.waitForAll()
      }
      // The rest is being fetched by others.
      await fill.settle()
      try Task.checkCancellation()
    }
  }

  /// Makes a layer of which everything is present complete: data on the disk, digest compared, recorded; then nobody
  /// asks us any more when it is read.
  func finish(_ key: LayerKey) async throws {
    try await exclusively(key) {
      guard var record = entries[key]?.record, !record.isComplete, let fill = entries[key]?.fill,
        fill.presence.isComplete
      else { return }
      let files = files
      do {
        try await onDisk("the bytes of layer \(key) on the disk") {
          try fill.writer.syncData()
          if case .spans(let index, let layout) = fill.map.content, layout.isVerbatim {
            try Self.verify(fill.writer, index, key)
          }
        }
      } catch {
        try await distrust(key, fill, error)
        throw error
      }
      configuration.onStep(.synced)
      record.isComplete = true
      try await keep(record, of: key)
      configuration.onStep(.completed)
      entries[key]?.record = record
      entries[key]?.presentBytes = record.deviceBytes
      if entries[key]?.isMarked == true {
        try path.askNoMore(key, fill)
        // What is read through us until it is unmounted needs the keeper until then.
        entries[key]?.isMarked = false
        if entries[key]?.isServed != true { await unprotect(key) }
        configuration.onStep(.unmarked)
      }
      entries[key]?.fill = nil
      try await onDisk("the disk") {
        for file in [files.presence(key), files.durablePresence(key)] { try Directory.removeFile(file) }
      }
      logger.info("layer is complete", metadata: ["layer": "\(key)", "bytes": "\(record.deviceBytes)"])
    }
  }

  /// Compares the whole archive, where all of it is kept, with the digest that the image's configuration names. Read through
  /// the writer, which raises no events.
  private static func verify(_ data: SharedDescriptor, _ index: SeekIndex, _ key: LayerKey) throws {
    var hasher = DigestHasher()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while hasher.size < index.archiveBytes {
      let wanted = Int(min(Int64(buffer.count), index.archiveBytes - hasher.size))
      let offset = hasher.size
      let count = try buffer.withUnsafeMutableBytes { try data.read(into: .init(rebasing: $0[..<wanted]), at: offset) }
      guard count == wanted else { throw LayerStoreError.damaged(key, why: "its data file is too short") }
      hasher.update(buffer[..<wanted])
    }
    guard hasher.digest == index.diffID else {
      throw LayerStoreError.damaged(key, why: "the whole is not \(index.diffID)")
    }
  }
}

// MARK: - What is present, on the disk

extension LayerStore {
  /// Makes durable what is present: first the bytes, then the note.
  /// - Throws: `SystemError.isOutOfSpace` if there is no space for the note; the one before it stays, and is true.
  func save(_ key: LayerKey, _ fill: LayerFill) async throws {
    let path = files.durablePresence(key)
    let onStep = configuration.onStep
    do {
      try await onDisk("the bytes of layer \(key) on the disk") {
        // What is noted here was written before, so the sync covers it.
        let durable = DurablePresence(presentBytes: fill.presence.presentBytes, items: fill.presence.items.snapshot())
        try fill.writer.syncData()
        onStep(.synced)
        try DurableFile.write(durable.encoded, to: path)
        onStep(.saved)
      }
    } catch let error as SystemError where error.isOutOfSpace && error.call != "fdatasync" {
      throw error
    } catch {
      try await distrust(key, fill, error)
      throw error
    }
  }

  /// Writes down what is known of a layer.
  func keep(_ record: LayerRecord, of key: LayerKey) async throws {
    let path = files.record(key)
    try await onDisk("the record of layer \(key)") { try DurableFile.write(record.encoded, to: path) }
  }

  /// Begins anew with a layer whose bytes may not be on the disk as they were written: a disk says so once, then forgets.
  private func distrust(_ key: LayerKey, _ fill: LayerFill, _ error: any Error) async throws {
    entries[key]?.distrusts += 1
    logger.error("layer is fetched again", metadata: ["layer": "\(key)", "reason": "\(error)"])
    let path = files.durablePresence(key)
    try await onDisk("the disk") { try DurableFile.remove(path) }
    fill.presence.clear()
  }
}
