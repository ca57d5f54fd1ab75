import HTTP2Connections
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOSSL
import NIOTLS

#if canImport(Glibc)
  import Glibc
#endif

/// One accepted connection: TLS, then HTTP/1.1 or HTTP/2 as negotiated (ALPN), with the connection's record beside it.
///
/// Whoever makes a `NIOAsyncChannel` must run it: one that is dropped ends the process ("Deinited NIOAsyncWriter
/// without calling finish()"). The libraries' ways hand one over through an asynchronous sequence, or a future, and
/// drop it if nobody listens any more: after cancellation, after an error, after the end of the accept loop, while
/// frames that came with the last bytes of the handshake are still decoded. So here none is handed over: each is made on
/// the event loop and given in the same breath to a task that runs it, whatever becomes of the connection.
struct FrontChannel: ServerChildChannel {
  struct Value: ServerChildChannelValue {
    let connection: FrontConnection
    var channel: any Channel { connection.channel }
  }

  /// The context that new connections get: it is another one after the server's certificate was renewed.
  let context: @Sendable () -> NIOSSLContext
  let exchange: FrontExchange
  let http1: HTTP1Channel
  let table: FrontConnectionTable
  let limits: HTTPSFront.Limits

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
          context: context(),
          customVerificationCallback: { certificates, promise in
            connection.present(certificates)
            promise.succeed(.certificateVerified)
          }))
      try pipeline.addHandler(
        FrontConnectionHandler(
          connection: connection, table: table, handshakeTimeout: TimeAmount(limits.handshakeTimeout),
          idleTimeout: limits.idleTimeout))
      try pipeline.addHandler(FrontStallHandler(timeout: TimeAmount(limits.stallTimeout)))
      try pipeline.addHandler(
        ApplicationProtocolNegotiationHandler { result, channel in
          switch result {
          case .negotiated("h2"):
            return channel.eventLoop.makeCompletedFuture { try serveHTTP2(channel, connection, logger) }
          case .negotiated("http/1.1"), .fallback:
            // The future is complete already: nothing comes between the channel and its task.
            return http1.setup(channel: channel, logger: logger).map { requests in
              connection.run { await http1.handle(value: requests, logger: logger) }
            }
          case .negotiated: return channel.close()
          }
        })
      return Value(connection: connection)
    }
  }

  private func serveHTTP2(_ channel: any Channel, _ connection: FrontConnection, _ logger: Logger) throws {
    let pipeline = channel.pipeline.syncOperations
    let management = NIOHTTP2ServerConnectionManagementHandler(
      eventLoop: channel.eventLoop,
      configuration: .init(
        maxIdleTime: TimeAmount(limits.idleTimeout), maxAge: nil, maxGraceTime: TimeAmount(limits.shutdownTimeout),
        keepalive: nil))
    try pipeline.addHandler(FramePace(framesPerSecond: limits.framesPerSecond))
    try pipeline.addHandler(EarlySettings())
    _ = try pipeline.configureHTTP2Pipeline(
      mode: .server, connectionConfiguration: connectionConfiguration,
      streamConfiguration: NIOHTTP2Handler.StreamConfiguration(), streamDelegate: management.http2StreamDelegate
    ) { stream in
      stream.eventLoop.makeCompletedFuture { try serve(stream, connection, logger) }
    }
    try pipeline.addHandler(management)
  }

  private var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
    var configuration = NIOHTTP2Handler.ConnectionConfiguration()
    configuration.initialSettings = [
      HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.streamsPerConnection),
      HTTP2Setting(parameter: .maxHeaderListSize, value: limits.readHeaderBytes),
    ]
    // One HEADERS frame and so many CONTINUATION frames of 16 KiB hold what is read of header fields.
    configuration.maximumSequentialContinuationFrames = limits.readHeaderBytes >> 14
    return configuration
  }

  /// One request over HTTP/2.
  private func serve(_ channel: any Channel, _ connection: FrontConnection, _ logger: Logger) throws {
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(HTTP2FramePayloadToHTTPServerCodec())
    try pipeline.addHandler(FrontStallHandler(timeout: TimeAmount(limits.stallTimeout)))
    try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: limits.idleTimeout, logger: logger))
    let stream = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(wrappingChannelSynchronously: channel)
    connection.run {
      do {
        try await withTaskCancellationHandler {
          try await stream.executeThenClose { inbound, outbound in
            var parts = inbound.makeAsyncIterator()
            guard case .head(let head)? = try await parts.next() else { return }
            try await exchange.respond(
              head, FrontBody(parts: parts), ResponseWriter(outbound: outbound), channel)
            // The request's end, which nobody may have read yet.
            while try await parts.next() != nil {}
          }
        } onCancel: {
          channel.close(promise: nil)
        }
      } catch {
        logger.trace("an HTTP/2 stream ended early", metadata: ["error": "\(error)"])
      }
    }
  }

  /// Returns when the connection and all that was done for it have ended.
  func handle(value: Value, logger: Logger) async {
    let connection = value.connection
    await withTaskCancellationHandler {
      try? await connection.channel.closeFuture.get()
      await connection.finished()
    } onCancel: {
      connection.cancel()
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
