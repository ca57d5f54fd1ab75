import KubernetesClient

/// Lines of a stream of chunks, without their newlines; what follows the last newline counts as a line.
/// A line of more than 1 MiB is given in pieces.
struct ByteLines: AsyncSequence {
  typealias Element = [UInt8]
  let stream: ByteStream

  struct AsyncIterator: AsyncIteratorProtocol {
    var chunks: ByteStream.AsyncIterator
    var buffer: ArraySlice<UInt8> = []

    mutating func next() async throws -> [UInt8]? {
      var searched = buffer.startIndex
      while true {
        if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
          defer { buffer = buffer[(end + 1)...] }
          return Array(buffer[..<end])
        }
        if buffer.count > 1 << 20 {
          defer { buffer = [] }
          return Array(buffer)
        }
        guard let chunk = try await chunks.next() else {
          defer { buffer = [] }
          return buffer.isEmpty ? nil : Array(buffer)
        }
        let seen = buffer.count
        buffer = (Array(buffer) + chunk)[...]
        searched = seen
      }
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: stream.makeAsyncIterator()) }
}

extension APIResponse.Body {
  /// The body's lines as they come.
  var lines: ByteLines {
    switch self {
    case .stream(let stream): ByteLines(stream: stream)
    case .bytes(let bytes): ByteLines(stream: ByteStream(AsyncStream { bytes.isEmpty ? nil : bytes }.prefix(1)))
    }
  }
}
