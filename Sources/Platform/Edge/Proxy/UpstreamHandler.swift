import NIOCore
import NIOHTTP1

/// Who a connection to a pod works for at the moment.
protocol UpstreamDelegate: AnyObject {
  /// The pod's answer may be read: the client takes bytes.
  var wantsUpstreamBytes: Bool { get }
  func upstreamReceived(_ part: HTTPClientResponsePart, from upstream: UpstreamHandler)
  func upstreamFlushed(_ upstream: UpstreamHandler)
  /// The pod takes bytes again.
  func upstreamBecameWritable(_ upstream: UpstreamHandler)
  func upstreamClosed(_ upstream: UpstreamHandler, error: (any Error)?)
}

/// The last handler of a connection to a pod. It belongs to one request at a time and lies in the pool in between.
final class UpstreamHandler: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundIn = HTTPClientRequestPart
  typealias OutboundOut = HTTPClientRequestPart

  let endpoint: Endpoint
  weak var delegate: (any UpstreamDelegate)?
  /// Called once when the connection closes while nobody uses it.
  var onIdleClose: (() -> Void)?
  private(set) var context: ChannelHandlerContext?
  private var isReadHeld = false
  private var error: (any Error)?

  init(endpoint: Endpoint) { self.endpoint = endpoint }

  var isActive: Bool { context?.channel.isActive ?? false }
  var isWritable: Bool { context?.channel.isWritable ?? false }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func send(_ part: HTTPClientRequestPart) {
    context?.write(wrapOutboundOut(part), promise: nil)
  }

  func flush() { context?.flush() }
  func close() { context?.close(promise: nil) }

  /// Reads on, if reading was held back.
  func resumeReading() {
    guard isReadHeld, delegate?.wantsUpstreamBytes ?? true else { return }
    isReadHeld = false
    context?.read()
  }

  func read(context: ChannelHandlerContext) {
    if delegate?.wantsUpstreamBytes ?? true { context.read() } else { isReadHeld = true }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let delegate else { return context.close(promise: nil) }  // nobody asked for this
    delegate.upstreamReceived(unwrapInboundIn(data), from: self)
  }

  func channelReadComplete(context: ChannelHandlerContext) { delegate?.upstreamFlushed(self) }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { delegate?.upstreamBecameWritable(self) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    self.error = self.error ?? error
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if let delegate { delegate.upstreamClosed(self, error: error) }
    onIdleClose?()
    onIdleClose = nil
  }
}
