#if canImport(Glibc)
  import Glibc
#endif

/// A system call on a path failed.
public struct FileError: Error, Hashable, CustomStringConvertible {
  /// What was tried: `open`, `mount`.
  public let operation: String
  public let path: String
  public let errno: Int32

  init(_ operation: String, _ path: String, errno: Int32? = nil) {
    self.operation = operation
    self.path = path
    self.errno = errno ?? Glibc.errno
  }

  public var description: String { "\(operation) \(path): \(String(cString: strerror(errno)))" }
}

/// Small files and directories, by system calls.
enum FileTree {
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

  /// Whether the path itself (a link is not followed) is a directory.
  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func isSymbolicLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// Makes a directory and those above it.
  static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(FileError) {
    if mkdir(path, mode) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw FileError("mkdir", path)
    }
    try makeDirectory(String(path[..<slash]))
    if mkdir(path, mode) != 0, errno != EEXIST { throw FileError("mkdir", path) }
  }

  static func read(_ path: String, limit: Int = 64 << 20) throws(FileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError("open", path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw FileError("read", path) }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return bytes
  }

  static func readText(_ path: String) -> String? {
    (try? read(path)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Writes a file in place.
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw FileError("open", path) }
    defer { close(descriptor) }
    guard fchmod(descriptor, mode) == 0 else { throw FileError("chmod", path) }
    try write(bytes, to: descriptor, path)
  }

  /// Replaces a file whole: readers and crashes see the old or the new bytes, nothing between.
  static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644) throws(FileError) {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw FileError("open", temporary) }
    do {
      defer { close(descriptor) }
      guard fchmod(descriptor, mode) == 0 else { throw FileError("chmod", temporary) }
      try write(bytes, to: descriptor, temporary)
      guard fsync(descriptor) == 0 else { throw FileError("fsync", temporary) }
    }
    guard rename(temporary, path) == 0 else { throw FileError("rename", path) }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw FileError("write", path) }
      written += count
    }
  }

  /// The names in a directory; empty if it can't be read.
  static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes a file or a whole tree. Never crosses into another file system: a volume that is still mounted below
  /// keeps its files, and the removal fails with `EBUSY`.
  static func remove(_ path: String) throws(FileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw FileError("stat", path)
    }
    try remove(path, device: status.st_dev, status)
  }

  private static func remove(_ path: String, device: dev_t, _ status: stat) throws(FileError) {
    if status.st_mode & S_IFMT == S_IFDIR {
      guard status.st_dev == device else { throw FileError("remove", path, errno: EBUSY) }
      for name in names(in: path) {
        let child = "\(path)/\(name)"
        var childStatus = stat()
        guard lstat(child, &childStatus) == 0 else { continue }
        try remove(child, device: device, childStatus)
      }
      guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("rmdir", path) }
    } else {
      guard unlink(path) == 0 || errno == ENOENT else { throw FileError("unlink", path) }
    }
  }

  /// The last bytes of a text file, cut at a line's beginning.
  static func tail(of path: String, bytes: Int) -> String {
    guard let all = try? read(path) else { return "" }
    guard all.count > bytes else { return String(decoding: all, as: UTF8.self) }
    let end = all.suffix(bytes)
    let start = end.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? end.startIndex
    return String(decoding: end[start...], as: UTF8.self)
  }
}
