import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS

#if canImport(Glibc)
  import Glibc
#endif

/// One accepted connection: TLS, then HTTP/1.1 or HTTP/2 as negotiated (ALPN), with the connection's record beside it.
///
/// Hummingbird's own upgrade channel takes one certificate callback for all connections and knows no handshake timeout.
struct FrontChannel: ServerChildChannel {
  struct Value: ServerChildChannelValue {
    let negotiated: EventLoopFuture<NIONegotiatedHTTPVersion<HTTP1Channel.Value, HTTP2Channel.Value>>
    let channel: any Channel
  }
  private typealias Negotiation = NIOTypedApplicationProtocolNegotiationHandler<
    NIONegotiatedHTTPVersion<HTTP1Channel.Value, HTTP2Channel.Value>
  >

  let context: NIOSSLContext
  let http1: HTTP1Channel
  let http2: HTTP2Channel
  let table: FrontConnectionTable
  let handshakeTimeout: TimeAmount
  let stallTimeout: TimeAmount
  let idleTimeout: Duration

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      // A client that closes its side is gone: nobody half-closes a request to an API server and waits. Without this
      // an idle watch over HTTP/1.1 would stay until the next write.
      try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false)
      try keepAlive(channel)
      let connection = FrontConnection(channel: channel)
      table.insert(connection)
      let pipeline = channel.pipeline.syncOperations
      // Every certificate is let through the handshake and judged with the request, which can then be told why (401).
      try pipeline.addHandler(
        NIOSSLServerHandler(
          context: context,
          customVerificationCallback: { certificates, promise in
            connection.present(certificates)
            promise.succeed(.certificateVerified)
          }))
      try pipeline.addHandler(
        FrontConnectionHandler(
          connection: connection, table: table, handshakeTimeout: handshakeTimeout, idleTimeout: idleTimeout))
      try pipeline.addHandler(FrontStallHandler(timeout: stallTimeout))
      let negotiation = Negotiation { result in
        switch result {
        case .negotiated("h2"):
          return http2.setup(channel: channel, logger: logger).map { .http2($0) }
        case .negotiated("http/1.1"), .fallback:
          return http1.setup(channel: channel, logger: logger).map { .http1_1($0) }
        case .negotiated:
          return channel.close().flatMapThrowing { throw NIOHTTP2Errors.invalidALPNToken() }
        }
      }
      try pipeline.addHandler(negotiation)
      return Value(negotiated: negotiation.protocolNegotiationResult, channel: channel)
    }
  }

  func handle(value: Value, logger: Logger) async {
    await withTaskCancellationHandler {
      do {
        switch try await value.negotiated.get() {
        case .http1_1(let channel): await http1.handle(value: channel, logger: logger)
        case .http2(let channel): await http2.handle(value: channel, logger: logger)
        }
      } catch {
        logger.trace("TLS connection ended before a request", metadata: ["error": "\(error)"])
      }
    } onCancel: {
      value.channel.close(promise: nil)
    }
  }

  /// Peers that vanished without a word are noticed by the kernel within two minutes.
  private func keepAlive(_ channel: any Channel) throws {
    try channel.syncOptions?.setOption(.socketOption(.so_keepalive), value: 1)
    #if canImport(Glibc)
      for (option, value) in [(TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4)] {
        try channel.syncOptions?.setOption(.tcpOption(.init(rawValue: option)), value: SocketOptionValue(value))
      }
    #endif
  }
}
