import NIOCore
import NIOExtras
import NIOHTTPTypes
import NIOSSL
import NIOTLS

/// Sits behind TLS: bounds the handshake, hands the peer's certificate on, and tells when the connection is gone.
final class FrontConnectionHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Any

  private let connection: FrontConnection
  private let table: FrontConnectionTable
  private let handshakeTimeout: TimeAmount
  private var deadline: Scheduled<Void>?

  init(connection: FrontConnection, table: FrontConnectionTable, handshakeTimeout: TimeAmount) {
    self.connection = connection
    self.table = table
    self.handshakeTimeout = handshakeTimeout
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    deadline = context.eventLoop.scheduleTask(in: handshakeTimeout) { channel.close(promise: nil) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case TLSUserEvent.handshakeCompleted:
      deadline?.cancel()
      deadline = nil
      connection.presentIfMissing(try? context.pipeline.syncOperations.nioSSL_peerCertificate())
    case is ChannelShouldQuiesceEvent where deadline != nil:
      // Nothing was asked yet: nobody waits for an answer.
      context.close(promise: nil)
    default: break
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    table.remove(connection)
    connection.markClosed()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Broken TLS and connections that end without a goodbye; there is nobody to tell.
    context.close(promise: nil)
  }
}

/// Closes a connection (or an HTTP/2 stream) whose peer has not taken anything for too long.
final class FrontStallHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart

  private let timeout: TimeAmount
  private var deadline: Scheduled<Void>?

  init(timeout: TimeAmount) { self.timeout = timeout }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = nil
    if !context.channel.isWritable {
      let channel = context.channel
      deadline = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }
}
