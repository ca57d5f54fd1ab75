import LinuxSystem

/// Tries out on the real directory what filling through FUSE relies on: EROFS whose data is a file of our own, which is
/// written while it is read.
struct FUSESelfTest: Sendable {
  let directory: String
  let runDirectory: String

  /// What this machine can do.
  struct Finding: Sendable {
    /// EROFS does not take images from the file system of the directory: they go through FUSE, too.
    var isMetadataServed: Bool
  }

  /// - Throws: `LayerStoreError.unsupported` with what does not work, and why as far as that is known.
  func run() async throws -> Finding {
    let connection = try SelfTest.attempt("FUSE (/dev/fuse, CAP_SYS_ADMIN)") { try FUSEConnection() }
    let place = "\(directory)/\(LayerFiles.unfinished)probe-\(UInt32.random(in: 0 ... .max))"
    let target = "\(runDirectory)/probe-\(UInt32.random(in: 0 ... .max))"
    defer {
      try? Mounts.unmount(target, lazily: true)
      try? Directory.removeTree(place)
      try? Directory.removeIfEmpty(target)
    }
    do {
      for path in [place, target] { try Directory.make(path, permissions: 0o700) }
      try SelfTest.writeImage("\(place)/metadata")
    } catch { throw LayerStoreError.unsupported(why: "\(error)") }
    let data = try SharedDescriptor("\(place)/data", .createNew)
    try data.truncate(to: Int64(SelfTest.pattern.count))
    let desk = FUSEDesk(connection)
    try desk.show("data", data, .probe { try? data.write(SelfTest.pattern[...], at: 0) })
    try desk.show("metadata", try SharedDescriptor("\(place)/metadata", .read), .whole, isCached: true)
    let threads = try FUSEThreads(desk, count: 1) { _ in }
    try threads.start()
    defer { threads.stop() }
    let shared = try SharedDescriptor("\(place)/found", .createNew)
    try shared.truncate(to: Int64(SelfTest.pattern.count))
    let found = try SharedMapping(shared, count: SelfTest.pattern.count)
    return try await BlockingWork.run {
      func mount(_ metadata: String) throws {
        _ = try ApartMount.mount(
          metadata: metadata, devices: [connection.path(of: "data")], at: target, through: connection.mount)
      }
      var finding = Finding(isMetadataServed: false)
      do { try mount("\(place)/metadata") } catch {
        finding.isMetadataServed = true
        try SelfTest.attempt("EROFS mounts of plain files (Linux 6.12)") { try mount(connection.path(of: "metadata")) }
      }
      guard desk.features?.contains([.asksAgain, .asynchronousDirectReads]) == true else {
        throw LayerStoreError.unsupported(why: "FUSE does not ask again after a crash (Linux 6.9)")
      }
      try SelfTest.attempt("EROFS with its data in FUSE") { try ApartMount.read("\(target)/file", into: found) }
      guard found.bytes.elementsEqual(SelfTest.pattern) else {
        throw LayerStoreError.unsupported(why: "what was written while a reader waited did not reach it")
      }
      return finding
    }
  }
}
