import LayerStore
import LinuxSystem
import Locking
import Logging

/// Keeps snapshots: names and parents in records, files in directories, layers that need no unpacking behind
/// `RemoteLayers`.
///
/// Crash-safe: a directory is made before its record and goes after it, and its number is never used again. So whatever
/// has no record is rubbish, at every start and in `cleanUp`.
final class Snapshotter: Sendable {
  let records: SnapshotRecords
  let directories: SnapshotDirectories
  let layers: any RemoteLayers
  let logger: Logger
  /// By chain ID and parent.
  let resolving = Turns<String>(.transfer, "its turn: somebody else brings the same layer")
  /// A layer is not released while a snapshot is made of it.
  let binding = Turns<LayerKey>(.turn, "its turn: a snapshot is made of the same layer, or it is released")
  private let numbers: Mutex<Numbers>

  private struct Numbers {
    var next: Int64
    /// Have directories, but no records yet.
    var unrecorded: Set<Int64> = []
  }

  /// Opens or makes the root, and removes what a process before this one left unfinished. Nobody else may work on it.
  init(root configuration: SnapshotterConfiguration, layers: any RemoteLayers, logger: Logger) throws {
    let forbidden = Set(":,\\ \t\n\"".utf8)
    guard configuration.root.hasPrefix("/"), !configuration.root.utf8.contains(where: forbidden.contains) else {
      throw SnapshotError.unusableRoot(
        configuration.root, reason: "overlayfs wants an absolute path without spaces, colons, commas and backslashes")
    }
    try Directory.make(configuration.directories, permissions: 0o700)
    records = try SnapshotRecords(path: configuration.recordsFile)
    directories = SnapshotDirectories(path: configuration.directories)
    self.layers = layers
    self.logger = logger
    let present = try directories.present()
    let next = max(try records.nextID(), (present.numbers.max() ?? 0) + 1)
    numbers = Mutex(Numbers(next: next))
    for name in present.strangers { try directories.remove(stranger: name) }
    let known = try records.ids()
    for id in present.numbers.subtracting(known).sorted() { remove(id) }
    for record in try records.all() where record.layer == nil && !directories.isPresent(record.id) {
      try restore(record)
    }
  }

  func close() throws { try records.close() }

  /// Runs what waits for the disk.
  func onDisk<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await CallRegister.waiting(.machine, "the snapshots' records and files on the disk") {
      try await BlockingWork.run(body)
    }
  }

  /// The directory of a snapshot is missing: the disk lost it, or somebody removed it.
  private func restore(_ record: SnapshotRecords.Record) throws {
    guard record.info.kind != .committed else {
      logger.error(
        "the files of a snapshot are gone; remove its image and pull it again",
        metadata: ["snapshot": "\(record.info.name)", "directory": "\(directories.files(record.id))"])
      return
    }
    logger.warning("the files of a snapshot were gone; it is empty now", metadata: ["snapshot": "\(record.info.name)"])
    try directories.make(record.id, root: .init(), writable: record.info.kind == .active)
  }

  // MARK: Making

  /// Makes a writable snapshot.
  /// - Throws: `SnapshotError.layerExists` if the layer that the labels name needs no unpacking; it is a committed snapshot
  ///   on `parent` then.
  func prepare(_ key: String, parent: String, labels: [String: String]) async throws -> [SnapshotMount] {
    try check(key, parent, labels)
    if let target = labels[SnapshotLabel.target], !target.isEmpty {
      try await bindLayer(target, parent: parent, key: key, labels: labels)
    }
    return try await make(.active, key, parent: parent, labels: labels)
  }

  /// Makes a snapshot to read only.
  func view(_ key: String, parent: String, labels: [String: String]) async throws -> [SnapshotMount] {
    try check(key, parent, labels)
    return try await make(.view, key, parent: parent, labels: labels)
  }

  private func check(_ key: String, _ parent: String, _ labels: [String: String]) throws(SnapshotError) {
    try SnapshotInput.check(name: key, "the key")
    try SnapshotInput.check(optional: parent, "the parent's name")
    try SnapshotInput.check(labels: labels)
  }

  private func make(_ kind: SnapshotKind, _ key: String, parent: String, labels: [String: String]) async throws
    -> [SnapshotMount]
  {
    let mappings = try IDMappings(labels: labels)
    let chain = try await onDisk { [records] in
      guard try records.find(key) == nil else { throw SnapshotError.alreadyExists(key) }
      return parent.isEmpty ? [] : try records.chain(parent)
    }
    try await admit(chain)
    let lowers = try await reach(chain)
    let id = newNumber()
    let answer: [SnapshotMount]
    do {
      try await onDisk { [directories] in
        // Of the topmost parent that is no lazily loaded layer: containerd unpacks layers without what their archives say
        // of the root itself.
        let parent = chain.first { $0.layer == nil }
        var root = try parent.map { try directories.rootAttributes($0.id) } ?? .init()
        if let mappings, !chain.isEmpty {
          // The lower directories are shown with mapped ids, the upper one is not: its root has the container's owner.
          root.user = mappings.users.host(root.user) ?? mappings.users.host(0) ?? root.user
          root.group = mappings.groups.host(root.group) ?? mappings.groups.host(0) ?? root.group
        }
        try directories.make(id, root: root, writable: kind == .active)
      }
      answer = try await mounts(kind, id, chain, lowers, mappings)
      try Task.checkCancellation()
      let now = Moment.now
      let info = SnapshotInfo(name: key, parent: parent, kind: kind, created: now, updated: now, labels: labels)
      try await onDisk { [records] in try records.insert(id, info, below: chain.first?.id) }
      numbers.withLock { _ = $0.unrecorded.remove(id) }
      // A client that went away does not know of the snapshot.
      if Task.isCancelled {
        _ = try await onDisk { [records] in try records.remove(key) }
        throw CancellationError()
      }
    } catch {
      try? await onDisk { [self] in remove(id) }
      numbers.withLock { _ = $0.unrecorded.remove(id) }
      throw error
    }
    return answer
  }

  // MARK: Using

  func mounts(_ key: String) async throws -> [SnapshotMount] {
    try SnapshotInput.check(name: key, "the key")
    let (record, chain) = try await onDisk { [records] in try records.snapshotWithChain(key) }
    guard record.info.kind != .committed else { throw SnapshotError.notMountable(key) }
    try await admit(chain)
    let mappings = try IDMappings(labels: record.info.labels)
    return try await mounts(record.info.kind, record.id, chain, try await reach(chain), mappings)
  }

  private func mounts(
    _ kind: SnapshotKind, _ id: Int64, _ chain: [SnapshotRecords.Lower], _ lowers: [Int64: String],
    _ mappings: IDMappings?
  ) async throws -> [SnapshotMount] {
    // A layer that an image has more than once shows nothing below what it does not show above; overlayfs takes every
    // directory once.
    var seen: Set<LayerKey> = []
    let chain = chain.filter { $0.layer.map { seen.insert($0).inserted } ?? true }
    // A single directory is named as it is, many by short links: they share one page.
    var paths = try await onDisk { [directories] in
      chain.flatMap { lower in
        (lower.layer != nil && directories.hasAttributes(lower.id) ? [directories.attributes(lower.id)] : [])
          + [directories.files(lower.id)]
      }
    }
    if paths.count == 1, let only = lowers[chain[0].id] { paths = [only] }
    var mappings = mappings
    if let wanted = mappings, !lowers.isEmpty {
      let unmapped = paths
      paths = try await onDisk { [directories] in try directories.map(id, unmapped, wanted) }
      mappings = nil
    }
    return SnapshotMounts.make(
      kind, files: directories.files(id), work: directories.work(id), lowers: paths, hasLayers: !lowers.isEmpty,
      mappings: mappings)
  }

  /// Mounts the lazily loaded layers of a chain, all at once.
  /// - Returns: their directories, by the snapshots' numbers.
  func reach(_ chain: [SnapshotRecords.Lower]) async throws -> [Int64: String] {
    try await withThrowingTaskGroup(of: (Int64, String).self) { group in
      for lower in chain {
        guard let layer = lower.layer else { continue }
        group.addTask { [self] in
          let directory: String
          do { directory = try await layers.mount(layer) } catch is CancellationError {
            throw CancellationError()
          } catch { throw SnapshotError.layerUnavailable(layer.description, reason: "\(error)") }
          try await onDisk { [directories] in try directories.link(lower.id, to: directory) }
          return (lower.id, directory)
        }
      }
      var result: [Int64: String] = [:]
      for try await (id, directory) in group { result[id] = directory }
      return result
    }
  }

  func commit(_ key: String, as name: String, labels: [String: String], parent: String) async throws {
    try SnapshotInput.check(name: key, "the key")
    try SnapshotInput.check(name: name, "the name")
    try SnapshotInput.check(labels: labels)
    // Space is counted when it is asked for: containerd waits for this call with its records locked.
    try await onDisk { [records] in
      try records.commit(key, as: name, labels: labels, parent: parent, at: .now)
    }
  }

  func info(_ key: String) async throws -> SnapshotInfo {
    try SnapshotInput.check(name: key, "the key")
    return try await onDisk { [records] in
      guard let record = try records.find(key) else { throw SnapshotError.notFound(key) }
      return record.info
    }
  }

  /// - Parameter fields: `labels`, `labels.KEY`; empty: all labels.
  func update(_ key: String, labels: [String: String], fields: [String]) async throws -> SnapshotInfo {
    try SnapshotInput.check(name: key, "the name")
    try SnapshotInput.check(labels: labels)
    return try await onDisk { [records] in try records.update(key, labels: labels, fields: fields, at: .now) }
  }

  func list(_ filters: [String]) async throws -> [SnapshotInfo] {
    let filter = try SnapshotFilter(filters)
    return try await onDisk { [records] in try records.all().map(\.info).filter(filter.matches) }
  }

  /// Space of the snapshot itself.
  func usage(_ key: String) async throws -> LayerUsage {
    try SnapshotInput.check(name: key, "the key")
    let record = try await onDisk { [records] in
      guard let record = try records.find(key) else { throw SnapshotError.notFound(key) }
      return record
    }
    if let usage = record.usage { return usage }
    if let layer = record.layer { return try await layers.usage(of: layer) }
    guard record.info.kind != .view else { return LayerUsage(bytes: 0, inodes: 0) }
    let usage = try await onDisk { [directories] in try directories.usage(record.id) }
    if record.info.kind == .committed {
      try await onDisk { [records] in try records.set(usage, of: record.id) }
    }
    return usage
  }

  // MARK: Removing

  func remove(_ key: String) async throws {
    try SnapshotInput.check(name: key, "the key")
    let record = try await onDisk { [records] in try records.remove(key) }
    try? await onDisk { [self] in
      remove(record.id)
      records.refillReserve()
    }
    if let layer = record.layer { await releaseIfUnused(layer) }
  }

  /// Removes what is left of snapshots that are gone.
  func cleanUp() async throws {
    let unrecorded = numbers.withLock { $0.unrecorded }
    // In this order: what is made meanwhile is among the records, or was among the unrecorded.
    let present = try await onDisk { [directories] in try directories.present().numbers }
    let known = try await onDisk { [records] in try records.ids() }
    let new = numbers.withLock { $0.unrecorded }
    let rubbish = present.subtracting(known).subtracting(unrecorded).subtracting(new)
    try? await onDisk { [self] in
      for id in rubbish.sorted() { remove(id) }
      records.refillReserve()
    }
    for layer in try await onDisk({ [records] in try records.unusedLayers() }) {
      await releaseIfUnused(layer)
    }
  }

  /// A failure is told and leaves the rest for the next `cleanUp`.
  private func remove(_ id: Int64) {
    do { try directories.remove(id) } catch {
      logger.warning("a snapshot's files can't be removed yet", metadata: ["error": "\(error)"])
    }
  }

  private func releaseIfUnused(_ layer: LayerKey) async {
    do {
      try await binding.take(layer) { [self] in
        guard try await onDisk({ [records] in try records.isUnused(layer) }) else { return }
        try await layers.release(layer)
        try await onDisk { [records] in try records.forget(unused: layer) }
      }
    } catch {
      logger.warning(
        "a layer that no snapshot uses can't be released yet", metadata: ["layer": "\(layer)", "error": "\(error)"])
    }
  }

  // MARK: Numbers

  func newNumber() -> Int64 {
    numbers.withLock {
      let id = $0.next
      $0.next += 1
      $0.unrecorded.insert(id)
      return id
    }
  }

  func isRecorded(_ id: Int64) { numbers.withLock { _ = $0.unrecorded.remove(id) } }
}
