import NIOCore
import TestSupport

/// Reads a connection of HTTP/2 frame by frame.
struct FrameReader {
  private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private var bytes: [UInt8] = []

  struct Ended: Error {}

  init(_ iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) { self.iterator = iterator }

  /// The next frame.
  /// - Throws: `Ended` if the connection ends before.
  mutating func next() async throws -> HTTP2Bytes.Frame {
    while true {
      if let frame = HTTP2Bytes.frames(in: bytes).first {
        bytes.removeFirst(9 + frame.payload.count)
        return frame
      }
      guard let more = try await iterator.next() else { throw Ended() }
      bytes += Array(buffer: more)
    }
  }

  /// Passes over frames up to one that `isWanted`.
  mutating func next(where isWanted: (HTTP2Bytes.Frame) -> Bool) async throws -> HTTP2Bytes.Frame {
    while true {
      let frame = try await next()
      if isWanted(frame) { return frame }
    }
  }

  /// The status of the next answer.
  mutating func status() async throws -> String {
    let head = try await next { $0.type == 1 }
    return HTTP2Bytes.status(in: HTTP2Bytes.frame(head.type, flags: head.flags, stream: head.stream, head.payload))
      ?? ""
  }

  /// Takes what comes until the connection ends.
  mutating func drain() async throws { while try await iterator.next() != nil {} }
}

extension HTTP2Bytes {
  /// The preface and empty settings.
  static let start = preface + settings()

  /// A request to the stage's app.
  static func ask(
    _ stream: UInt32, method: String = "GET", path: String = "/headers", fields: [(String, String)] = [],
    ends: Bool = true
  ) -> [UInt8] {
    request(stream, method: method, path: path, authority: Stage.host, fields: fields, ends: ends)
  }
}

extension NIOAsyncChannelOutboundWriter<ByteBuffer> {
  func write(_ bytes: [UInt8]) async throws { try await write(ByteBuffer(bytes: bytes)) }
}
