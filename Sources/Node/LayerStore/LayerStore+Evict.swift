import LinuxSystem

extension LayerStore {
  /// Gives a layer's content back to the disk; its tables stay, so that it is filled again when it is read. A plain layer
  /// that came in one stream is lazy from then on.
  /// - Throws: `.busy` while it is mounted or an overlay reads it.
  public func evict(_ key: LayerKey) async throws {
    try await exclusively(key) {
      guard let entry = entries[key] else { throw LayerStoreError.unknownLayer(key) }
      guard !entry.isInUse else { throw LayerStoreError.busy(key) }
      try await releaseIfUnused(key)
      await entries[key]?.fill?.close()
      entries[key]?.fill = nil
      // What is said to be present goes first: what is found on the disk after a crash is then written over.
      var record = entry.record
      record.isComplete = false
      let (files, evicted, wasComplete) = (files, record, entry.record.isComplete)
      try await onDisk("the room of layer \(key)") {
        for file in [files.durablePresence(key), files.presence(key)] { try DurableFile.remove(file) }
        // Of a layer that was never complete it says so already: a full disk has no space to say it again.
        if wasComplete { try DurableFile.write(evicted.encoded, to: files.record(key)) }
        let data = try SharedDescriptor(files.data(key), .readWrite)
        try data.truncate(to: 0)
        try data.truncate(to: Self.fileBytes(evicted.deviceBytes))
      }
      entries[key]?.record = record
      entries[key]?.presentBytes = 0
    }
  }
}
