import CLinux
import Glibc

/// An open file, directory or device; closed when it goes out of scope.
public struct OpenFile: ~Copyable, Sendable {
  let descriptor: Int32
  /// As it was opened; for error messages.
  public let path: String

  /// How a file is opened. Every mode adds `O_CLOEXEC`: children inherit nothing.
  public enum Mode: Sendable {
    case read
    case readWrite
    case directory
    /// Must not exist; mode 0600.
    case createNew
    /// Is made with mode 0600 if missing; what is there stays.
    case createIfMissing
    /// Is made with mode 0600 if missing; what is there is dropped.
    case truncate

    var flags: Int32 {
      switch self {
      case .read: O_RDONLY | O_CLOEXEC
      case .readWrite: O_RDWR | O_CLOEXEC
      case .directory: O_RDONLY | O_DIRECTORY | O_CLOEXEC
      case .createNew: O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
      case .createIfMissing: O_RDWR | O_CREAT | O_CLOEXEC
      case .truncate: O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC
      }
    }
  }

  /// - Throws: `SystemError` of `open`.
  public init(_ path: String, _ mode: Mode, permissions: UInt32 = 0o600) throws(SystemError) {
    var fd: Int32
    repeat { fd = open(path, mode.flags, mode_t(permissions)) } while fd < 0 && errno == EINTR
    guard fd >= 0 else { throw SystemError.last("open", path) }
    descriptor = fd
    self.path = path
  }

  deinit { close(descriptor) }

  /// Lends the descriptor; it stays open for the call. (A descriptor taken out would outlive the file's last use.)
  public borrowing func withDescriptor<Result, Failure>(_ body: (Int32) throws(Failure) -> Result) throws(Failure)
    -> Result
  { try body(descriptor) }

  /// Writes all bytes at `offset`.
  public func write(_ bytes: [UInt8], at offset: Int64 = 0) throws(SystemError) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written, off_t(offset) + written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.last("write", path)
      }
      written += count
    }
  }

  /// Reads the bytes from `offset` on, at most `limit` of them; fewer at the end of the file.
  public func read(limit: Int, at offset: Int64 = 0) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit {
      var chunk = [UInt8](repeating: 0, count: min(64 << 10, limit - bytes.count))
      let count = chunk.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress, $0.count, off_t(offset) + bytes.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.last("read", path)
      }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return bytes
  }

  /// Waits until data and size are on the disk.
  public func sync() throws(SystemError) {
    guard fsync(descriptor) == 0 else { throw SystemError.last("fsync", path) }
  }

  /// Sets the size; a longer file gets a hole.
  public func truncate(to bytes: Int64) throws(SystemError) {
    guard ftruncate(descriptor, off_t(bytes)) == 0 else { throw SystemError.last("ftruncate", path) }
  }

  /// Reserves blocks for a range; the file grows when the range ends behind its end.
  public func allocate(offset: Int64 = 0, bytes: Int64) throws(SystemError) {
    try check(nagaya_fallocate(descriptor, 0, offset, bytes), "fallocate", path)
  }

  /// Gives the blocks of a range back; it reads as zeros, the size stays.
  public func punchHole(offset: Int64, bytes: Int64) throws(SystemError) {
    try check(nagaya_fallocate(descriptor, 2, offset, bytes), "fallocate(PUNCH_HOLE)", path)
  }
}
