import CLinux
import Glibc

/// Files that are whole after a crash at any instant: either the old content or the new, never a mix.
public enum DurableFile {
  /// The mark of an unfinished write; such files can be removed at start.
  public static let temporarySuffix = ".writing"

  /// Replaces a file's content: temporary file beside it, fsync, rename, fsync of the directory.
  public static func write(_ bytes: [UInt8], to path: String, permissions: UInt32 = 0o600) throws(SystemError) {
    let temporary = path + temporarySuffix
    do throws(SystemError) {
      let file = try OpenFile(temporary, .truncate, permissions: permissions)
      try file.write(bytes)
      try file.sync()
    } catch {
      unlink(temporary)
      throw error
    }
    try rename(temporary, to: path)
  }

  /// Reads a whole file; `nil` if there is none.
  /// - Parameter limit: bytes; a longer file is refused with `EFBIG`.
  public static func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8]? {
    do throws(SystemError) {
      let bytes = try OpenFile(path, .read).read(limit: limit + 1)
      guard bytes.count <= limit else { throw SystemError("read", path, errno: EFBIG) }
      return bytes
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Removes a file for good; fine if it is gone already.
  public static func remove(_ path: String) throws(SystemError) {
    try Directory.removeFile(path)
    try Directory.sync(parent(of: path))
  }

  /// Renames for good.
  /// - Parameter replacing: whether a file at `target` may go; otherwise `EEXIST` is thrown.
  public static func rename(_ path: String, to target: String, replacing: Bool = true) throws(SystemError) {
    try check(nagaya_rename(path, target, replacing ? 0 : 1), "renameat2", target)
    try Directory.sync(parent(of: target))
  }

  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
