import LinuxSystem
import OCI

import struct Synchronization.Atomic

extension LayerStore {
  /// What a layer was found to be; `nil` if its blob has not been read as a whole.
  public func identity(of key: LayerKey) -> LayerIdentity? { entries[key]?.record.identity }

  /// What a layer's files mean for layers below it.
  public func traits(of key: LayerKey) async throws -> LayerTraits {
    guard let entry = entries[key] else { throw LayerStoreError.unknownLayer(key) }
    let path = files.implied(key)
    let bytes = try await onDisk("the directories of layer \(key)") { try DurableFile.read(path, limit: 1 << 30) }
    var traits = LayerTraits(hidesFiles: entry.record.hidesFiles)
    traits.decodeDirectories(bytes ?? [])
    return traits
  }

  /// Finds out what a layer is by reading its whole blob; what it lacks comes on the way.
  /// - Throws: what fetching throws, and `RefusedBytes` if the blob is not the layer's or can't be decompressed.
  public func prove(_ key: LayerKey, _ cause: FillCause = .demand) async throws -> LayerIdentity {
    guard let entry = entries[key] else { throw LayerStoreError.unknownLayer(key) }
    if let identity = entry.record.identity { return identity }
    let fill = entry.record.isComplete ? nil : try await exclusively(key) { try await load(key) }
    let (files, record) = (files, entry.record)
    let content = try await onDisk("the tables of layer \(key)") {
      try StoredContent.read(files.content(key), record, key)
    }
    let identity: LayerIdentity
    switch content {
    case .spans(let index, _): identity = LayerIdentity(diffID: index.diffID, showsArchive: true)
    case .chunks(let table, let format):
      let (room, spare) = (Room(), spareRoom)
      let proof = ArchiveProof(table, format) { item in
        // Larger ones would not fit beside what readers wait for; they are fetched alone.
        table.chunks[item].length <= Self.proofWindow && !room.isGone.load(ordering: .relaxed)
          && fill.map { !$0.presence.items[item] } ?? false
      } take: { item, bytes in
        // What has no room now is fetched when it is read. No byte that somebody frees is taken after that: a snapshot's
        // removal, which makes room, needs some itself.
        do {
          try spare.check()
          try fill?.take(item, bytes)
        } catch { room.isGone.store(true, ordering: .relaxed) }
      }
      try await read(key, record, entry.counters, cause, proof)
      guard proof.blobDigest == key.blob else {
        throw RefusedBytes(key: key, why: "the whole is \(proof.blobDigest)")
      }
      do {
        identity = try proof.finish(metadata: FileBytes(files.metadata(key)), deviceBytes: record.deviceBytes)
      } catch let error as SystemError { throw error } catch { throw RefusedBytes(key: key, why: "\(error)") }
      if let difference = proof.difference {
        logger.error(
          "a layer's table of contents is not that of its archive",
          metadata: ["layer": "\(key)", "difference": "\(difference)"])
      }
    }
    try await note(identity, of: key)
    return identity
  }

  /// Whether a proof may keep what comes on its way.
  private final class Room: Sendable {
    let isGone = Atomic(false)
  }

  /// Bytes of one request for a whole blob: between two of them the background yields to readers.
  private static let proofWindow: Int64 = 8 << 20

  private nonisolated func read(
    _ key: LayerKey, _ record: LayerRecord, _ counters: LayerCounters, _ cause: FillCause, _ proof: ArchiveProof
  ) async throws {
    let blob = sources.blob(key, blobBytes: record.blobBytes, origin: record.origin)
    var offset: Int64 = 0
    while offset < record.blobBytes {
      let range = offset..<min(record.blobBytes, offset + Self.proofWindow)
      if cause == .background { try await pace.wait() }
      counters.update { $0.fetches[cause, default: 0] += 1 }
      var count: Int64 = 0
      try await CallRegister.waiting(.transfer, "bytes \(range) of the whole blob of layer \(key)") {
        try await Self.filling {
          try await blob.fetch(range, urgency: cause) { part in
            proof.consume(part)
            count += Int64(part.count)
          }
        }
      }
      guard count == Int64(range.count) else { throw ShortBody(wanted: range.count, got: Int(count)) }
      counters.update { $0.fetchedBytes[cause, default: 0] += count }
      if cause == .background { await pace.pay(count) }
      offset = range.upperBound
    }
  }

  private func note(_ identity: LayerIdentity, of key: LayerKey) async throws {
    try await exclusively(key) {
      guard var record = entries[key]?.record else { throw LayerStoreError.unknownLayer(key) }
      record.identity = identity
      try await keep(record, of: key)
      entries[key]?.record.identity = identity
    }
    identifiedInput.yield(key)
  }
}
