import CLinux
import Glibc

/// An open file that several parts hold; closed with its last reference. `OpenFile` is the one with a single owner.
public final class SharedDescriptor: Sendable {
  /// Lent, never closed by whoever reads it.
  public let number: Int32

  /// Takes a descriptor over.
  public init(owning number: Int32) { self.number = number }

  /// Opens a file.
  public convenience init(_ path: String, _ mode: OpenFile.Mode, permissions: UInt32 = 0o600) throws(SystemError) {
    var fd: Int32
    repeat { fd = open(path, mode.flags, mode_t(permissions)) } while fd < 0 && errno == EINTR
    guard fd >= 0 else { throw SystemError.last("open", path) }
    self.init(owning: fd)
  }

  deinit { close(number) }

  /// As error messages name it.
  private var name: String { "/proc/self/fd/\(number)" }

  /// Which file it is: the same for every descriptor of a file.
  public func identity() throws(SystemError) -> FileIdentity {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw SystemError.last("fstat", name) }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// Size in bytes.
  public func size() throws(SystemError) -> Int64 {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw SystemError.last("fstat", name) }
    return Int64(status.st_size)
  }

  /// Writes all bytes at `offset`.
  public func write(_ bytes: ArraySlice<UInt8>, at offset: Int64) throws(SystemError) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(number, $0.baseAddress?.advanced(by: written), $0.count - written, off_t(offset) + written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.last("write", name)
      }
      written += count
    }
  }

  /// Reads into `buffer` from `offset` on.
  /// - Returns: bytes read; fewer than the buffer holds only at the end of the file.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = pread(number, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, off_t(offset) + filled)
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.last("read", name)
      }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Waits until the data is on the disk.
  public func syncData() throws(SystemError) {
    guard fdatasync(number) == 0 else { throw SystemError.last("fdatasync", name) }
  }

  /// Sets the size; a longer file gets a hole.
  public func truncate(to bytes: Int64) throws(SystemError) {
    guard ftruncate(number, off_t(bytes)) == 0 else { throw SystemError.last("ftruncate", name) }
  }
}

/// Tells one file of this machine from all others.
public struct FileIdentity: Sendable, Hashable {
  public var device: UInt64
  public var inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}
