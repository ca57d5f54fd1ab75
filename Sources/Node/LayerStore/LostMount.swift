import Glibc
import LinuxSystem
import OCI

/// A file system of a layer whose readers cannot go on as they are, though the layer itself is well: containers that have it
/// must be started anew. New ones get another file system.
public struct LostMount: Sendable, Hashable {
  public enum Reason: String, Sendable, CaseIterable {
    /// Its connection ended with the processes that held it: reads of what was not in memory fail.
    case aborted
    /// Nobody held the kernel's questions for a while, and programs have pages mapped since: they may show zeros.
    case stale
  }

  /// The kernel's name of it.
  public var fileSystem: String
  public var reason: Reason
  /// When that was found, in nanoseconds since 1970. Containers that were made later have another file system.
  public var since: Int64

  init(fileSystem: String, reason: Reason, since: Int64 = LostMount.now) {
    self.fileSystem = fileSystem
    self.reason = reason
    self.since = since
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Whether somebody still has it.
  var isInUse: Bool { FileBackedMount.exists(fileSystem) }

  // Each is a file that is named by the file system: `HEX REASON NANOSECONDS BOOT`.

  func encoded(_ key: LayerKey, bootID: String) -> [UInt8] {
    Array("\(key.blob.hex) \(reason.rawValue) \(since) \(bootID)".utf8)
  }

  static func parse(_ name: String, _ text: String, bootID: String) -> (key: LayerKey, mount: LostMount)? {
    let words = text.split(separator: " ")
    guard words.count == 4, let digest = Digest(hex: String(words[0])), let reason = Reason(rawValue: String(words[1])),
      let since = Int64(words[2]), words[3] == bootID
    else { return nil }
    return (LayerKey(digest), LostMount(fileSystem: name, reason: reason, since: since))
  }
}

extension LayerStore {
  /// Remembers, over restarts of this process, that a file system of a layer is lost.
  func note(_ lost: LostMount, of key: LayerKey) throws {
    try SmallFile.write(lost.encoded(key, bootID: bootID), to: files.lost(lost.fileSystem))
    entries[key]?.lost.append(lost)
  }

  /// Finds what earlier processes noted, and forgets what nobody has any more.
  func recoverLost() throws {
    for name in try Directory.names(in: files.lostDirectory) {
      let text = SmallFile.text(files.lost(name)) ?? ""
      if let (key, mount) = LostMount.parse(name, text, bootID: bootID), mount.isInUse, entries[key] != nil {
        entries[key]?.lost.append(mount)
      } else {
        try Directory.removeFile(files.lost(name))
      }
    }
  }

  /// Forgets those of a layer that nobody has any more.
  func forgetLost(_ key: LayerKey) throws {
    guard let gone = entries[key]?.lost.filter({ !$0.isInUse }), !gone.isEmpty else { return }
    for mount in gone { try Directory.removeFile(files.lost(mount.fileSystem)) }
    entries[key]?.lost.removeAll { gone.contains($0) }
  }
}
