import Glibc

/// The log of an instance in the background: its standard output, kept in bounds with one old file beside it.
struct LogFile: Sendable {
  let path: String
  /// Bytes; a larger log becomes the old one.
  var limit: Int64 = 16 << 20
  /// The descriptors that write it.
  var descriptors: [Int32] = [STDOUT_FILENO, STDERR_FILENO]

  var oldPath: String { "\(path).1" }

  enum Failure: Error {
    /// errno
    case cannotRotate(Int32)
  }

  /// Renames a log that has grown too large and goes on in a new file. Nothing that is written meanwhile is lost: the
  /// descriptors point at the old file until, in one step, they point at the new one.
  /// - Returns: whether it did; never for output that goes elsewhere.
  @discardableResult
  func rotateIfLarge() throws -> Bool {
    var named = stat()
    guard stat(path, &named) == 0, named.st_size > limit else { return false }
    let mine = descriptors.filter { descriptor in
      var open = stat()
      return fstat(descriptor, &open) == 0 && open.st_dev == named.st_dev && open.st_ino == named.st_ino
    }
    guard !mine.isEmpty else { return false }
    guard rename(path, oldPath) == 0 else { throw Failure.cannotRotate(errno) }
    let new = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard new >= 0 else { throw Failure.cannotRotate(errno) }
    defer { close(new) }
    for descriptor in mine where dup2(new, descriptor) < 0 { throw Failure.cannotRotate(errno) }
    return true
  }
}
