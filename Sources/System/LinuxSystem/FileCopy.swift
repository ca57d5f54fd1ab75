import CLinux
import Glibc

/// Copies of whole files that keep their holes.
public enum FileCopy {
  /// Shares the content of a file with an empty one on the same file system, at once and at one instant (FICLONE).
  /// - Returns: whether this file system can do that.
  public static func share(_ source: String, with target: String) throws(SystemError) -> Bool {
    let from = try OpenFile(source, .read)
    let to = try OpenFile(target, .readWrite)
    let answer = to.withDescriptor { to in from.withDescriptor { nagaya_clone_file(to, $0) } }
    if [-EOPNOTSUPP, -EINVAL, -EXDEV, -ENOTTY].contains(answer) { return false }
    try check(answer, "ioctl(FICLONE)", target)
    return true
  }

  /// Copies what is written of a file into an empty one; what is not stays a hole. Takes a buffer of 1 MiB, and as long as the
  /// disk does: not for Swift's own threads (`BlockingWork`).
  /// - Parameter deadline: then it gives up; `nil`: none.
  /// - Throws: `SystemError`; `ETIMEDOUT` at the deadline.
  public static func copy(_ source: String, to target: String, deadline: ContinuousClock.Instant? = nil)
    throws(SystemError)
  {
    let from = try OpenFile(source, .read)
    let to = try OpenFile(target, .readWrite)
    let size = try from.seek(0, SEEK_END)
    try to.truncate(to: size)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset: Int64 = 0
    while offset < size {
      guard let start = try from.data(from: offset) else { break }
      let end = min(size, try from.hole(from: start))
      offset = start
      while offset < end {
        if let deadline, ContinuousClock.now >= deadline { throw SystemError("copy", source, errno: ETIMEDOUT) }
        // number: at most the buffer's length
        let wanted = Int(min(Int64(buffer.count), end - offset))
        let count = try from.read(into: &buffer, wanted, at: offset)
        guard count > 0 else { throw SystemError("read", source, errno: EIO) }
        try to.write(Array(buffer[..<count]), at: offset)
        offset += Int64(count)
      }
    }
    try to.sync()
  }

  /// Copies the first bytes of a block device to another one, around the page cache. Takes a buffer of 4 MiB, and as long as
  /// the disks do: not for Swift's own threads (`BlockingWork`).
  /// - Parameter bytes: a multiple of 4096.
  /// - Throws: `SystemError`; `EIO` where the source ends before.
  public static func copyDevice(_ source: String, to target: String, bytes: Int64) throws(SystemError) {
    let from = SharedDescriptor(owning: try check(nagaya_open_direct(source, 0), "open", source))
    let to = SharedDescriptor(owning: try check(nagaya_open_direct(target, 1), "open", target))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    var offset: Int64 = 0
    while offset < bytes {
      // number: at most the buffer's length
      let wanted = Int(min(Int64(buffer.count), bytes - offset))
      let count = pread(from.number, buffer.baseAddress, wanted, off_t(offset))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw SystemError.last("read", source) }
      guard count > 0 else { throw SystemError("read", source, errno: EIO) }
      var written = 0
      while written < count {
        let step = pwrite(
          to.number, buffer.baseAddress?.advanced(by: written), count - written, off_t(offset) + off_t(written))
        if step < 0, errno == EINTR { continue }
        guard step > 0 else {
          throw step < 0 ? SystemError.last("write", target) : SystemError("write", target, errno: EIO)
        }
        written += step
      }
      offset += Int64(count)
    }
    guard fsync(to.number) == 0 else { throw SystemError.last("fsync", target) }
  }

  /// Bytes of a file's blocks that other files share, too; `nil` if it lies in more than 100,000 pieces or the file system
  /// does not tell.
  public static func sharedBytes(of path: String) throws(SystemError) -> Int64? {
    let file = try OpenFile(path, .read)
    var bytes: UInt64 = 0
    let answer = file.withDescriptor { nagaya_shared_bytes($0, 100_000, &bytes) }
    return answer < 0 ? nil : Int64(clamping: bytes)
  }
}

extension OpenFile {
  /// lseek(2)'s `SEEK_DATA` and `SEEK_HOLE`, which headers hide from Swift.
  private static let seekData: Int32 = 3
  private static let seekHole: Int32 = 4

  fileprivate borrowing func seek(_ offset: Int64, _ whence: Int32) throws(SystemError) -> Int64 {
    let found = withDescriptor { lseek($0, off_t(offset), whence) }
    guard found >= 0 else { throw SystemError.last("lseek", path) }
    return Int64(found)
  }

  /// Where written bytes begin at or behind an offset; `nil` if there are none.
  fileprivate borrowing func data(from offset: Int64) throws(SystemError) -> Int64? {
    do throws(SystemError) { return try seek(offset, Self.seekData) } catch {
      if error.errno == ENXIO { return nil }
      throw error
    }
  }

  fileprivate borrowing func hole(from offset: Int64) throws(SystemError) -> Int64 { try seek(offset, Self.seekHole) }

  /// - Returns: how many bytes were read; 0 at the end.
  fileprivate borrowing func read(into buffer: inout [UInt8], _ wanted: Int, at offset: Int64) throws(SystemError)
    -> Int
  {
    while true {
      let count = withDescriptor { descriptor in
        buffer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, min(wanted, $0.count), off_t(offset)) }
      }
      if count >= 0 { return count }
      guard errno == EINTR else { throw SystemError.last("read", path) }
    }
  }
}
