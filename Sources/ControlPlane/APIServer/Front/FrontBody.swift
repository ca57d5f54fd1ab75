import HummingbirdCore
import NIOCore
import NIOHTTPTypes

/// The bytes of a request's body as they arrive, over either protocol.
struct FrontBody {
  /// The request's stream ended before the request did.
  struct EndedEarly: Error {}

  private enum Source {
    case body(HummingbirdCore.RequestBody.AsyncIterator)
    case parts(NIOAsyncChannelInboundStream<HTTPRequestPart>.AsyncIterator)
    case ended
  }
  private var source: Source

  /// - Parameter body: of HTTP/1.1, as Hummingbird reads it.
  init(body: HummingbirdCore.RequestBody.AsyncIterator) { source = .body(body) }

  /// - Parameter parts: what comes behind a request's head on an HTTP/2 stream.
  init(parts: NIOAsyncChannelInboundStream<HTTPRequestPart>.AsyncIterator) { source = .parts(parts) }

  mutating func next() async throws -> ByteBuffer? {
    switch source {
    case .ended: return nil
    case .body(var body):
      let buffer = try await body.next()
      source = .body(body)
      return buffer
    case .parts(var parts):
      switch try await parts.next() {
      case .body(let buffer):
        source = .parts(parts)
        return buffer
      case .end:
        source = .ended
        return nil
      case .head, nil: throw EndedEarly()
      }
    }
  }
}
