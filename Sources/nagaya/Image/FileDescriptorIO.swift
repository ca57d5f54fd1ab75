import Foundation
import Glibc
import OCI

/// A failed operation on a file.
struct FileError: Error, CustomStringConvertible {
  let operation: String
  let path: String
  let code: Int32

  init(_ operation: String, _ path: String, code: Int32 = errno) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

/// An open file, closed with its last reference.
final class OpenFile: ByteSink, ByteSource {
  let descriptor: Int32
  let path: String

  init(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws(FileError) {
    self.path = path
    descriptor = open(path, flags | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw FileError("open", path) }
  }

  deinit { close(descriptor) }

  func write(_ bytes: ArraySlice<UInt8>) throws {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw FileError("write", path) }
      rest = rest.dropFirst(count)
    }
  }

  func read(upTo count: Int) throws -> ArraySlice<UInt8> {
    let bytes = try [UInt8](unsafeUninitializedCapacity: min(max(count, 1), 1 << 20)) { buffer, filled in
      var got = -1
      repeat { got = Glibc.read(descriptor, buffer.baseAddress, buffer.count) } while got < 0 && errno == EINTR
      guard got >= 0 else { throw FileError("read", path) }
      filled = got
    }
    return bytes[...]
  }
}

/// A spool in a file without a name: gone with the process, whatever happens.
struct TemporarySpool: BlobSpool {
  private let file: OpenFile

  init() throws {
    let template = "\(NSTemporaryDirectory())/nagaya-spool-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    file = try OpenFile(template, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    unlink(template)
  }

  func write(_ bytes: ArraySlice<UInt8>) throws { try file.write(bytes) }

  func replay(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
    guard lseek(file.descriptor, 0, SEEK_SET) == 0 else { throw FileError("rewind", file.path) }
    while case let piece = try file.read(upTo: 1 << 20), !piece.isEmpty { try body(piece) }
  }
}

/// Writes a file that is there whole or not at all.
enum ReplacingFile {
  static func write<Result>(_ path: String, _ body: (OpenFile) throws -> Result) throws -> Result {
    let temporary = "\(path).\(getpid()).tmp"
    let file = try OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC)
    do {
      let result = try body(file)
      guard fsync(file.descriptor) == 0, rename(temporary, path) == 0 else { throw FileError("write", path) }
      return result
    } catch {
      unlink(temporary)
      throw error
    }
  }
}
