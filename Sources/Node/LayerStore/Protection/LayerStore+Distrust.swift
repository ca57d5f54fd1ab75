import Glibc
import LinuxSystem
import OCI

/// While nobody held the kernel's questions, whoever read what was not there got zeros, and the kernel keeps them as the
/// files' content.
extension LayerStore {
  /// Throws out what the kernel may have kept of a layer that is asked for again, and that nobody can fill yet: what is read
  /// meanwhile waits. What cannot be thrown out (programs have it mapped) is told, and nobody new gets it.
  func distrustPages(_ key: LayerKey) async throws {
    guard let entry = entries[key] else { return }
    let target = files.mountPoint(key)
    var left: Int?
    if entry.isMounted {
      left = try? await BlockingWork.run {
        // The second time finds what was being read when the first one came by.
        var left = 0
        for _ in 0..<Self.dropAttempts {
          left = try PageCache.drop(target)
          usleep(Self.dropPause)  // on a thread of its own, which nobody else needs
        }
        return left
      }
    } else {
      // Below an overlay alone: its files have no name here.
      try? await BlockingWork.run { try KernelSetting.write("1", to: "/proc/sys/vm/drop_caches") }
    }
    guard left != 0 else {
      logger.notice(
        "nobody held a layer's reads for a while; what was kept in memory was thrown out", metadata: ["layer": "\(key)"]
      )
      return
    }
    logger.error(
      "programs may see zeros where a layer was not filled while nobody held its reads: restart containers that use it",
      metadata: ["layer": "\(key)", "pages": "\(left.map { "\($0)" } ?? "unknown")"])
    if entry.isMounted { try await BlockingWork.run { try Mounts.unmount(target, lazily: true) } }
    entries[key]?.isMounted = false
    guard let name = entry.fileSystem, FileBackedMount.exists(name) else { return }
    entries[key]?.fileSystem = nil
    try note(LostMount(fileSystem: name, reason: .stale), of: key)
    try Directory.removeFile(files.fileSystem(key))
  }

  private static let dropAttempts = 3
  /// In microseconds; a read of a hole takes a few.
  private static let dropPause: UInt32 = 20_000
}
