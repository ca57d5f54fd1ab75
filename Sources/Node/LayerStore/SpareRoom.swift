import Glibc
import LinuxSystem

/// What is fetched before anybody asks leaves a part of the disk: to what readers wait for, and to what removals must write
/// before they free anything.
struct SpareRoom: Sendable {
  /// Of the file system that is looked at.
  let directory: String

  /// Bytes that requests under way may still take.
  private static let underWay: Int64 = 8 << 20

  /// A twentieth of the disk, at most 1 GiB.
  private static func spared(of totalBytes: Int64) -> Int64 { min(totalBytes / 20, 1 << 30) }

  /// Whether something may be fetched unasked.
  var isThere: Bool {
    guard let usage = try? FileSystemUsage(of: directory) else { return true }
    return usage.availableBytes > Self.spared(of: usage.totalBytes) + Self.underWay
  }

  /// - Throws: `SystemError` (`ENOSPC`) if nothing may be.
  func check() throws(SystemError) {
    guard isThere else { throw SystemError("write", "what nobody waits for", errno: ENOSPC) }
  }
}

extension LayerStore {
  nonisolated var spareRoom: SpareRoom { SpareRoom(directory: files.directory) }
}
