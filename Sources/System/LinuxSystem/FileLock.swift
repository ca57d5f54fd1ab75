import Glibc

/// An exclusive `flock(2)` on a file, held until it goes out of scope (or the process ends, however).
public struct FileLock: ~Copyable, Sendable {
  private let file: OpenFile

  /// Takes the lock, or answers `nil` at once if somebody else holds it. The file is made if missing and never removed.
  public init?(_ path: String) throws(SystemError) {
    let file = try OpenFile(path, .createIfMissing)
    let failure = file.withDescriptor { descriptor in
      while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        if errno != EINTR { return errno }
      }
      return 0
    }
    if failure == EWOULDBLOCK { return nil }
    guard failure == 0 else { throw SystemError("flock", path, errno: failure) }
    self.file = file
  }
}
