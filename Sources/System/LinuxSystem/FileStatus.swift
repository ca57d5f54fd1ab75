import Glibc

/// What `lstat(2)` says about a path.
public struct FileStatus: Sendable, Hashable {
  public enum Kind: Sendable, Hashable { case file, directory, symbolicLink, blockDevice, other }

  public let kind: Kind
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
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      case S_IFBLK: .blockDevice
      default: .other
      }
    size = Int64(status.st_size)
    allocatedBytes = Int64(status.st_blocks) * 512
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    specialDevice = UInt64(status.st_rdev)
  }
}

/// Directories and names.
public enum Directory {
  /// Makes a directory and its parents; fine if it is there already.
  public static func make(_ path: String, permissions: UInt32 = 0o755) throws(SystemError) {
    guard mkdir(path, mode_t(permissions)) != 0 else { return }
    switch errno {
    case EEXIST:
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw SystemError("mkdir", path, errno: ENOTDIR)
      }
    case ENOENT:
      guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { throw SystemError.last("mkdir", path) }
      try make(String(path[..<slash]), permissions: permissions)
      guard mkdir(path, mode_t(permissions)) == 0 || errno == EEXIST else { throw SystemError.last("mkdir", path) }
    default: throw SystemError.last("mkdir", path)
    }
  }

  /// The names in a directory, without `.` and `..`, in order; empty if the directory is missing.
  public static func names(in path: String) throws(SystemError) -> [String] {
    guard let stream = opendir(path) else {
      if errno == ENOENT { return [] }
      throw SystemError.last("opendir", path)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes an empty directory; fine if it is gone already.
  public static func removeIfEmpty(_ path: String) throws(SystemError) {
    guard rmdir(path) == 0 || errno == ENOENT else { throw SystemError.last("rmdir", path) }
  }

  /// Removes a file; fine if it is gone already.
  public static func removeFile(_ path: String) throws(SystemError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.last("unlink", path) }
  }

  /// The absolute path without symbolic links.
  public static func canonicalPath(_ path: String) throws(SystemError) -> String {
    guard let resolved = realpath(path, nil) else { throw SystemError.last("realpath", path) }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Makes a directory's entries (names made, renamed, removed) durable.
  public static func sync(_ path: String) throws(SystemError) {
    try OpenFile(path, .directory).sync()
  }
}
