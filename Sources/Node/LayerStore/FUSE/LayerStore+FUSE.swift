import Glibc
import LinuxSystem
import Logging
import OCI

extension FillDesk {
  /// Lets us be asked when a layer is read.
  func ask(_ key: LayerKey, _ fill: LayerFill) throws {
    switch self {
    case .events(let desk):
      desk.routes[try fill.writer.identity()] = .filling(fill)
      try desk.group.mark(fill.writer)
    case .files(let desk, _): try desk.show(key.blob.hex, fill.writer, .filling(fill))
    }
  }

  /// Everything of the layer is there, or nobody reads it.
  func askNoMore(_ key: LayerKey, _ fill: LayerFill) throws {
    switch self {
    case .events(let desk):
      // Questions on their way are answered yes.
      if fill.presence.isComplete { desk.routes[try fill.writer.identity()] = .complete }
      try desk.group.unmark(fill.writer)
    case .files(let desk, _):
      // Holes are never shown, not even to nobody.
      if fill.presence.isComplete { try desk.show(key.blob.hex, fill.writer, .whole) } else { desk.hide(key.blob.hex) }
    }
  }

  /// The layer is not read any more.
  func forget(_ key: LayerKey, _ writer: SharedDescriptor) throws {
    if case .events(let desk) = self { desk.routes[try writer.identity()] = nil }
    hide(key)
  }

  func hide(_ key: LayerKey) {
    guard case .files(let desk, _) = self else { return }
    desk.hide(key.blob.hex)
    desk.hide(Self.metadataName(key))
  }

  static func metadataName(_ key: LayerKey) -> String { "\(key.blob.hex).metadata" }
}

extension LayerStore {
  /// Mounts a layer, of which the kernel asks already if something is missing.
  /// - Returns: the kernel's name of the file system.
  func attach(_ key: LayerKey, at target: String) async throws -> String? {
    guard let entry = entries[key] else { throw LayerStoreError.unknownLayer(key) }
    let (metadata, data) = (files.metadata(key), files.data(key))
    var readAhead = configuration.readAheadBytes
    guard case .files(let desk, let finding) = path, !entry.record.isComplete || finding.isMetadataServed else {
      return try await onDisk("the kernel to mount layer \(key)") { [readAhead] in
        try FileBackedMount.mount(metadata: metadata, devices: [data], at: target, readAheadBytes: readAhead)
      }
    }
    // A program that says so has twice of it read ahead (posix_fadvise(2)). What comes as one request comes whole or not:
    // of one that was split the kernel could find no memory for the second half, and EROFS would fill that up with zeros.
    readAhead = min(readAhead, FUSEConnection.readBytes / 2)
    // Complete layers are read without us, but for the metadata where the kernel does not take it otherwise.
    entries[key]?.isServed = true
    // Before it can be read: whoever finds the mount knows how it is read.
    try SmallFile.write(
      FileSystemNote(name: nil, bootID: bootID, isServed: true).encoded, to: files.fileSystem(key))
    if finding.isMetadataServed { try serveMetadata(key, desk) }
    let source = finding.isMetadataServed ? desk.connection.path(of: FillDesk.metadataName(key)) : metadata
    let device = entry.record.isComplete ? data : desk.connection.path(of: key.blob.hex)
    return try await onDisk("the kernel to mount layer \(key)") { [readAhead] in
      try ApartMount.mount(
        metadata: source, devices: [device], at: target, through: desk.connection.mount, readAheadBytes: readAhead)
    }
  }

  private func serveMetadata(_ key: LayerKey, _ desk: FUSEDesk) throws {
    let file = try SharedDescriptor(files.metadata(key), .read)
    try desk.show(FillDesk.metadataName(key), file, .whole, isCached: true)
  }

  /// Goes on serving what is mounted, or mounts it anew if the connection was lost with the keeper.
  func adopt(_ desk: FUSEDesk) async throws {
    for (key, entry) in entries where entry.isInUse && !entry.isServed && !entry.record.isComplete {
      // Its holes would read as zeros, and we would not be asked.
      if (try? await unmountUnserved(key)) != true {
        throw LayerStoreError.unsupported(
          why: "layer \(key) is in use and was mounted for fanotify; stop its containers, or use --fill fanotify")
      }
    }
    guard isTakeover else { return try await mountAnew() }
    guard case .files(_, let finding) = path else { return }
    for (key, entry) in entries where entry.isServed {
      let data: SharedDescriptor
      if entry.record.isComplete {
        data = try SharedDescriptor(files.data(key), .read)
        try desk.show(key.blob.hex, data, .whole)
      } else {
        let fill = try await load(key)
        data = fill.writer
        try desk.show(key.blob.hex, data, .filling(fill))
        entries[key]?.isMarked = true
      }
      if finding.isMetadataServed { try serveMetadata(key, desk) }
      await keep(key, data)
    }
    try desk.connection.askAgain()
    try threads?.start()
  }

  /// - Returns: whether nobody reads it any more.
  private func unmountUnserved(_ key: LayerKey) async throws -> Bool {
    let target = files.mountPoint(key)
    try await BlockingWork.run { try Mounts.unmount(target) }
    entries[key]?.isMounted = false
    try await releaseIfUnused(key)
    return entries[key]?.isInUse == false
  }

  /// The connection through which these layers are read is gone: whoever has them open gets errors, whoever opens them
  /// next shall not.
  private func mountAnew() async throws {
    let lost = try await giveUpServed()
    try threads?.start()
    for key in lost { _ = try await mount(key) }
  }

  /// Takes layers away whose connection is gone.
  /// - Returns: those that were mounted.
  @discardableResult func giveUpServed() async throws -> [LayerKey] {
    var lost: [LayerKey] = []
    for (key, entry) in entries where entry.isServed {
      logger.warning(
        "layer's reads failed while neither daemon nor keeper ran; restart containers that use it",
        metadata: ["layer": "\(key)"])
      let target = files.mountPoint(key)
      if entry.isMounted {
        try await BlockingWork.run { try Mounts.unmount(target, lazily: true) }
        lost.append(key)
      }
      entries[key]?.isMounted = false
      entries[key]?.isServed = false
      entries[key]?.fileSystem = nil
      if let name = entry.fileSystem, FileBackedMount.exists(name) {
        try note(LostMount(fileSystem: name, reason: .aborted), of: key)
      }
      try Directory.removeFile(files.fileSystem(key))
    }
    return lost
  }
}
