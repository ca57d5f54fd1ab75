import Glibc
import LinuxSystem
import OCI

extension LayerStore {
  /// Mounts a layer read-only; fine if it is mounted. Without `run`, reads of what is missing wait.
  /// - Returns: the directory.
  public func mount(_ key: LayerKey) async throws -> String {
    try await exclusively(key) {
      let target = files.mountPoint(key)
      guard let entry = entries[key], !entry.isMounted else { return target }
      if !entry.record.isComplete { try await mark(key, try await load(key)) }
      try await onDisk("the run directory") { try Directory.make(target) }
      let system: String?
      do { system = try await attach(key, at: target) } catch {
        try await releaseIfUnused(key)
        throw error
      }
      configuration.onStep(.mounted)
      entries[key]?.isMounted = true
      entries[key]?.fileSystem = system
      let note = FileSystemNote(name: system, bootID: bootID, isServed: entries[key]?.isServed ?? false)
      let (path, record) = (files.fileSystem(key), files.record(key))
      try await onDisk("the run directory") { try SmallFile.write(note.encoded, to: path) }
      try await onDisk("the record of layer \(key)") { Self.touch(record) }
      // What is mounted is about to be read: the background leaves the line to its start.
      demand.touch()
      wakeBackground.yield()
      return target
    }
  }

  /// Takes the mount away; the data stays.
  ///
  /// Overlays may go on reading the layer: as long as one does, missing bytes are filled.
  /// - Throws: `.busy` if a program works in the mount itself.
  public func unmount(_ key: LayerKey) async throws {
    try await exclusively(key) {
      guard entries[key]?.isMounted == true else { return }
      let target = files.mountPoint(key)
      do { try await onDisk("the kernel to unmount layer \(key)") { try Mounts.unmount(target) } } catch let error
        as SystemError
        where error.errno == EBUSY
      { throw LayerStoreError.busy(key) }
      configuration.onStep(.unmounted)
      entries[key]?.isMounted = false
      let record = files.record(key)
      try? await onDisk("the record of layer \(key)") {
        try Directory.removeIfEmpty(target)
        Self.touch(record)
      }
      try await releaseIfUnused(key)
    }
  }

  /// Takes all mounts away that nobody works in, before the machine's containers are gone for good: keeper and guard end
  /// with `run` when nothing is left that they protect.
  public func unmountAll() async {
    for key in entries.filter(\.value.isMounted).keys {
      do { try await unmount(key) } catch {
        logger.notice("layer stays mounted", metadata: ["layer": "\(key)", "reason": "\(error)"])
      }
    }
  }

  /// Removes a layer with its data.
  /// - Throws: `.busy` while it is mounted or an overlay reads it.
  public func remove(_ key: LayerKey) async throws {
    try await exclusively(key) {
      guard let entry = entries[key] else { return }
      guard !entry.isInUse else { throw LayerStoreError.busy(key) }
      try await releaseIfUnused(key)
      await entries[key]?.fill?.close()
      // The name goes at once, the rest can be done again after a crash.
      let aside = files.staging(key)
      let files = files
      try await onDisk("the name of layer \(key) on the disk") {
        try DurableFile.rename(files.layer(key), to: aside)
      }
      configuration.onStep(.removing)
      for file in [files.presence(key), files.fileSystem(key)] { try Directory.removeFile(file) }
      if let fill = entry.fill { try? path.forget(key, fill.writer) }
      try await onDisk("the files of layer \(key) to go") { try Directory.removeTree(aside) }
      forget(key)
    }
  }

  /// Opens a layer's tables and its data file for filling.
  func load(_ key: LayerKey) async throws -> LayerFill {
    guard let entry = entries[key] else { throw LayerStoreError.unknownLayer(key) }
    if let fill = entry.fill { return fill }
    let (files, record, bootID) = (files, entry.record, bootID)
    let held = await heldWriter(key)
    let (writer, map, presence) = try await onDisk("the tables of layer \(key)") { [onStep = configuration.onStep] in
      let writer = try held ?? SharedDescriptor(files.data(key), .readWrite)
      onStep(.opened)
      let content = try StoredContent.read(files.content(key), record, key)
      let map = ContentMap(content)
      let durable = try DurableFile.read(files.durablePresence(key), limit: 1 << 30).flatMap { DurablePresence($0) }
      let presence = try PresenceMap(
        files.presence(key), map: map, deviceBytes: record.deviceBytes, data: try writer.identity(), bootID: bootID,
        durable: durable?.items)
      return (writer, map, presence)
    }
    // Somebody else, who does not change the layer, may have been faster.
    if let fill = entries[key]?.fill { return fill }
    let fill = LayerFill(
      key: key, map: map, presence: presence, writer: writer, counters: entry.counters,
      source: sources.blob(key, blobBytes: record.blobBytes, origin: record.origin), tools: tools)
    entries[key]?.fill = fill
    if presence.isComplete { workInput.yield(.finish(key)) }
    return fill
  }

  /// Lets us be asked before the data file is read. Before the mount: what is opened unmarked is never asked for.
  func mark(_ key: LayerKey, _ fill: LayerFill) async throws {
    guard entries[key]?.isMarked == false else { return }
    // From here on a keeper or guard that is replaced gets the layer, too.
    entries[key]?.isMarked = true
    do {
      try await protect(key, fill)
      try path.ask(key, fill)
    } catch {
      entries[key]?.isMarked = false
      throw error
    }
    configuration.onStep(.marked)
  }

  /// Gives up marks and tables of a layer that nobody reads.
  func releaseIfUnused(_ key: LayerKey) async throws {
    try forgetLost(key)
    guard let entry = entries[key], !entry.isInUse else { return }
    entries[key]?.fileSystem = nil
    try Directory.removeFile(files.fileSystem(key))
    if entry.isServed {
      entries[key]?.isServed = false
      path.hide(key)
      if !entry.isMarked { await unprotect(key) }
    }
    guard let fill = entry.fill, entry.isMarked else { return }
    try path.askNoMore(key, fill)
    entries[key]?.isMarked = false
    await unprotect(key)
    try path.forget(key, fill.writer)
    do { try await save(key, fill) } catch let error as SystemError where error.isOutOfSpace {
      // Who wants the space back must not be told that there is none.
      logger.warning("what is present of a layer is not noted", metadata: ["layer": "\(key)", "reason": "\(error)"])
    }
    await fill.close()
    entries[key]?.presentBytes = fill.presence.presentBytes
    entries[key]?.fill = nil
    configuration.onStep(.unmarked)
  }

  /// Notes that the layer was used: the time of its record.
  private static func touch(_ record: String) { utimensat(AT_FDCWD, record, nil, 0) }
}
