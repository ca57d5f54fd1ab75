import NIOCore

/// Tells a client that speaks plain http to use https, instead of closing on it without a word.
///
/// It stands before TLS and decides by the first byte: a TLS record of a handshake begins with 22 (RFC 8446, 5.1), an
/// HTTP request with a letter. Then it is gone.
final class PlainHTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var hasAnswered = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !hasAnswered else { return }
    let bytes = unwrapInboundIn(data)
    guard let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { return }
    guard Self.isLetter(first) else {
      context.fireChannelRead(data)
      context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
      return
    }
    hasAnswered = true
    let closing = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: Self.answer))).whenComplete { _ in
      closing.value.close(promise: nil)
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & ~0x20)
  }

  private static let text = "This port speaks https: begin the address with https:// instead of http://.\n"
  private static let answer = """
    HTTP/1.1 400 Bad Request\r
    Content-Type: text/plain; charset=utf-8\r
    Content-Length: \(text.utf8.count)\r
    Connection: close\r
    \r
    \(text)
    """
}
