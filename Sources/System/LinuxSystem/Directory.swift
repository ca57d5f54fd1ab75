import Glibc

/// Directories and names.
public enum Directory {
  /// Makes a directory, and with mode 0755 the parents that are missing; fine if it is there already.
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
      try make(String(path[..<slash]))
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

  /// The same for callers to whom a directory that can't be read holds nothing.
  public static func namesIfReadable(in path: String) -> [String] { (try? names(in: path)) ?? [] }

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
