import Glibc
import LinuxSystem
import OCI

extension LayerStore {
  /// Finds the layers that are there, and what an earlier process left.
  func recover() async throws {
    let mounts = try Mounts.table()
    for name in try Directory.names(in: files.directory) {
      guard let digest = Digest(hex: name) else {
        if name.hasPrefix(LayerFiles.unfinished) { try Directory.removeTree("\(files.directory)/\(name)") }
        continue
      }
      let key = LayerKey(digest)
      guard let bytes = try DurableFile.read(files.record(key)), let record = LayerRecord(bytes) else {
        logger.error("layer has no record", metadata: ["directory": "\(files.layer(key))"])
        continue
      }
      let durable = record.isComplete ? nil : try DurableFile.read(files.durablePresence(key), limit: 1 << 30)
      var entry = Entry(
        record: record,
        presentBytes: record.isComplete
          ? record.deviceBytes : durable.flatMap { DurablePresence($0) }?.presentBytes ?? 0)
      entry.isMounted = mounts.top(at: files.mountPoint(key)) != nil
      // A name is good for this start of the machine only.
      if let note = FileSystemNote(SmallFile.text(files.fileSystem(key)) ?? ""), note.bootID == bootID {
        entry.fileSystem = note.name
        entry.isServed = note.isServed && entry.isInUse
      }
      entries[key] = entry
    }
    // Mount points and shared memory of layers that are gone.
    for name in try Directory.names(in: "\(files.runDirectory)/present") {
      let key = Digest(hex: name).map { LayerKey($0) }
      if key.flatMap({ entries[$0] }).map({ $0.record.isComplete }) ?? true {
        try Directory.removeFile("\(files.runDirectory)/present/\(name)")
      }
    }
    try recoverLost()
    switch path {
    case .events(let desk):
      try await giveUpServed()
      try await adopt(desk)
    case .files(let desk, _): try await adopt(desk)
    }
  }
}
