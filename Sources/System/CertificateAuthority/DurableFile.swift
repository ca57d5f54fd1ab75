#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Small files that are whole or absent after a crash.
enum DurableFile {
  /// The file's bytes; `nil` if there is no such file.
  static func read(_ path: String) throws(CertificateAuthorityError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw failure(path, "read")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(path, "read")
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  /// Replaces the file: temporary file with `mode`, fsync, rename, fsync of the directory.
  static func write(_ text: String, to path: String, mode: mode_t) throws(CertificateAuthorityError) {
    let temporary = "\(path).\(getpid()).tmp"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw failure(temporary, "create") }
    do throws(CertificateAuthorityError) {
      defer { close(descriptor) }
      let bytes = Array(text.utf8)
      var written = 0
      while written < bytes.count {
        let count = bytes.withUnsafeBytes { buffer in
          Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written)
        }
        if count < 0 {
          if errno == EINTR { continue }
          throw failure(temporary, "write")
        }
        written += count
      }
      guard fsync(descriptor) == 0 else { throw failure(temporary, "sync") }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = failure(path, "replace")
      unlink(temporary)
      throw error
    }
    try syncDirectory(of: path)
  }

  /// Removes the file if it is there, for good.
  static func remove(_ path: String) throws(CertificateAuthorityError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw failure(path, "remove") }
    try syncDirectory(of: path)
  }

  /// Makes the directory (with its parents) readable by its owner alone.
  static func makeDirectory(_ path: String) throws(CertificateAuthorityError) {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      prefix += "/\(part)"
      guard mkdir(prefix, 0o700) == 0 || errno == EEXIST || errno == EISDIR else { throw failure(prefix, "create") }
    }
    guard chmod(path, 0o700) == 0 else { throw failure(path, "restrict") }
  }

  private static func syncDirectory(of path: String) throws(CertificateAuthorityError) {
    let end = path.lastIndex(of: "/")
    let directory = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(directory, "open") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure(directory, "sync") }
  }

  private static func failure(_ path: String, _ action: String) -> CertificateAuthorityError {
    .file(path: path, action: action, reason: String(cString: strerror(errno)))
  }
}
