import Glibc

/// Files that are read and written whole and need not survive a crash; those that must are `DurableFile`'s.
public enum SmallFile {
  /// The bytes of a file, the first `limit` of them if it is longer.
  public static func read(_ path: String, limit: Int = 64 << 20) throws(SystemError) -> [UInt8] {
    try OpenFile(path, .read).read(limit: limit)
  }

  /// A file as text; `nil` if it can't be read.
  public static func text(_ path: String) -> String? {
    (try? read(path)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Writes a file in place, with exactly these permissions whatever the umask says.
  public static func write(_ bytes: [UInt8], to path: String, permissions: UInt32 = 0o644) throws(SystemError) {
    let file = try OpenFile(path, .truncate, permissions: permissions)
    guard file.withDescriptor({ fchmod($0, mode_t(permissions)) }) == 0 else { throw SystemError.last("fchmod", path) }
    try file.write(bytes)
  }

  /// The last bytes of a text file, cut at a line's beginning; empty if it can't be read.
  public static func tail(of path: String, bytes: Int) -> String {
    guard let all = try? read(path) else { return "" }
    guard all.count > bytes else { return String(decoding: all, as: UTF8.self) }
    let end = all.suffix(bytes)
    let start = end.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? end.startIndex
    return String(decoding: end[start...], as: UTF8.self)
  }

  /// Whether this process may run the file.
  public static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }
}
