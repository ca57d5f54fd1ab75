import CLinux

/// Space and inodes of a mounted file system (`statfs(2)`).
public struct FileSystemUsage: Sendable, Hashable {
  public let totalBytes: Int64
  /// Free for root.
  public let freeBytes: Int64
  /// Free for everybody.
  public let availableBytes: Int64
  public let totalInodes: Int64
  public let freeInodes: Int64

  public var usedBytes: Int64 { totalBytes - freeBytes }
  public var usedInodes: Int64 { totalInodes - freeInodes }

  /// - Throws: `SystemError` of `statfs`.
  public init(of path: String) throws(SystemError) {
    var usage = nagaya_usage()
    try check(nagaya_statfs(path, &usage), "statfs", path)
    func bytes(_ blocks: UInt64) -> Int64 {
      Int64(clamping: blocks.multipliedReportingOverflow(by: usage.block_bytes).0)
    }
    totalBytes = bytes(usage.blocks)
    freeBytes = bytes(usage.blocks_free)
    availableBytes = bytes(usage.blocks_available)
    totalInodes = Int64(clamping: usage.inodes)
    freeInodes = Int64(clamping: usage.inodes_free)
  }
}

/// Operations on a mounted file system as a whole.
public enum FileSystem {
  /// Tells the device below which extents are free, so that it can give them back.
  /// - Returns: bytes trimmed, as the file system counts them.
  @discardableResult
  public static func trim(_ mountPoint: String, minimumExtentBytes: Int64 = 0) throws(SystemError) -> Int64 {
    let directory = try OpenFile(mountPoint, .directory)
    var trimmed: UInt64 = 0
    // number: not negative
    let answer = directory.withDescriptor { nagaya_trim($0, UInt64(max(0, minimumExtentBytes)), &trimmed) }
    try check(answer, "ioctl(FITRIM)", mountPoint)
    return Int64(clamping: trimmed)
  }

  /// Writes everything of one file system to its disk (`syncfs(2)`).
  public static func sync(_ path: String) throws(SystemError) {
    let directory = try OpenFile(path, .directory)
    try check(directory.withDescriptor { nagaya_sync_file_system($0) }, "syncfs", path)
  }
}
