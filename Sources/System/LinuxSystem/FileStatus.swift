import Glibc

/// A device number as `stat(2)` has it, taken apart (makedev(3)).
public struct DeviceNumber: Sendable, Hashable {
  public let major: UInt32
  public let minor: UInt32

  public init(_ number: UInt64) {
    major = UInt32((number >> 8) & 0xFFF) | UInt32(truncatingIfNeeded: (number >> 32) & ~0xFFF)
    minor = UInt32(number & 0xFF) | UInt32(truncatingIfNeeded: (number >> 12) & ~0xFF)
  }
}

/// What `lstat(2)` says about a path.
public struct FileStatus: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case file, directory, symbolicLink, blockDevice, other

    /// - Parameter mode: `st_mode` of `stat(2)`.
    init(_ mode: mode_t) {
      self =
        switch mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        case S_IFBLK: .blockDevice
        default: .other
        }
    }
  }

  public let kind: Kind
  /// Permission, set-id and sticky bits: `0o755`.
  public let permissions: UInt32
  /// Bytes of the content.
  public let size: Int64
  /// Bytes of the blocks that are really taken.
  public let allocatedBytes: Int64
  /// The file system's device number.
  public let device: UInt64
  public let inode: UInt64
  /// Of a device node: which device it stands for.
  public let specialDevice: UInt64

  /// The status, or `nil` if there is nothing at `path`. A symbolic link is not followed.
  public init?(of path: String) throws(SystemError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw SystemError.last("lstat", path)
    }
    kind = Kind(status.st_mode)
    permissions = status.st_mode & 0o7777
    size = Int64(status.st_size)
    allocatedBytes = Int64(status.st_blocks) * 512
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    specialDevice = UInt64(status.st_rdev)
  }

  /// Whether there is something at `path`; symbolic links are followed.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether the path itself is a directory; a symbolic link to one is not.
  public static func isDirectory(_ path: String) -> Bool { (try? FileStatus(of: path))??.kind == .directory }

  public static func isSymbolicLink(_ path: String) -> Bool { (try? FileStatus(of: path))??.kind == .symbolicLink }
}
