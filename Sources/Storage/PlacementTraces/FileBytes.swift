import Glibc

/// A file read in pieces from its beginning.
final class FileBytes {
  private let path: String
  private let descriptor: Int32
  private static let pieceSize = 1 << 18

  /// - Throws: `TraceError` that names the file.
  init(_ path: String) throws(TraceError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure(path) }
  }

  deinit { close(descriptor) }

  /// The next bytes; none at the end.
  func next() throws(TraceError) -> [UInt8] {
    var count = -1
    let bytes = [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, filled in
      repeat { count = read(descriptor, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
      filled = max(0, count)
    }
    guard count >= 0 else { throw Self.failure(path) }
    return bytes
  }

  /// All bytes of a file that is not larger than `limit`.
  static func all(of path: String, limit: Int) throws(TraceError) -> [UInt8] {
    let file = try FileBytes(path)
    var bytes: [UInt8] = []
    while case let piece = try file.next(), !piece.isEmpty {
      guard bytes.count + piece.count <= limit else {
        throw TraceError(.cannotRead(reason: "it is larger than \(limit >> 20) MiB"), file: path)
      }
      bytes += piece
    }
    return bytes
  }

  private static func failure(_ path: String) -> TraceError {
    TraceError(.cannotRead(reason: String(cString: strerror(errno))), file: path)
  }
}
