import Glibc
import OCI

/// A file that is read at any place.
struct RandomAccessFile: RandomAccessBytes {
  private let file: ReadOnlyFile
  let size: Int64

  init(_ path: String) throws {
    file = try ReadOnlyFile(path)
    var status = stat()
    guard fstat(file.descriptor, &status) == 0 else { throw FileError("read", path) }
    size = Int64(status.st_size)
  }

  func read(_ range: Range<Int64>) throws -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= size else { throw OutOfBounds(range: range, size: size) }
    return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
      while filled < buffer.count {
        let count = pread(
          file.descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled,
          off_t(range.lowerBound) + filled)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw FileError("read", file.path, code: count == 0 ? EIO : errno) }
        filled += count
      }
    }
  }

  /// A descriptor that is only read, by position: tasks may share it.
  private final class ReadOnlyFile: Sendable {
    let descriptor: Int32
    let path: String

    init(_ path: String) throws {
      self.path = path
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw FileError("open", path) }
    }

    deinit { close(descriptor) }
  }
}

/// A part of a file as bytes of its own.
struct FileSlice: RandomAccessBytes {
  let base: RandomAccessFile
  let range: Range<Int64>
  var size: Int64 { Int64(range.count) }

  func read(_ part: Range<Int64>) throws -> [UInt8] {
    guard part.lowerBound >= 0, part.upperBound <= size else { throw OutOfBounds(range: part, size: size) }
    return try base.read(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }
}

/// A directory for files of one command, gone when the command ends.
final class ScratchDirectory {
  let path: String

  /// - Parameter directory: where it is made; beside the result, since that is where there is room.
  init(in directory: String) throws {
    path = "\(directory)/.nagaya-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    guard mkdir(path, 0o700) == 0 else { throw FileError("make the directory", path) }
  }

  /// A file in it.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  deinit {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != "." && name != ".." { unlink("\(path)/\(name)") }
      }
      closedir(stream)
    }
    rmdir(path)
  }
}
