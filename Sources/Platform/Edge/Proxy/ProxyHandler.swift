import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1

/// What all connections of the edge share.
struct ProxyContext: Sendable {
  let configuration: EdgeConfiguration
  let routes: RoutingTable
  let logger: Logger
}

/// Serves a client: the last handler of an HTTP/1.1 connection or of an HTTP/2 stream.
///
/// Bodies pass part by part. The client is read only while the pod takes bytes, and the pod only while the client does:
/// `read` is held back otherwise, so that memory per request is bounded by what one read brings.
final class ProxyHandler: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  enum State {
    /// Waits for a request.
    case idle
    /// The pod's connection is being opened.
    case connecting(Exchange)
    case exchanging(Exchange)
    /// The answer is given, the rest of the request is dropped, up to so many bytes.
    case discarding(left: Int, keepsClient: Bool)
    /// The protocol was switched, or the connection is over.
    case done
  }

  let shared: ProxyContext
  let pool: UpstreamPool
  let isHTTP2: Bool
  private let connection: ClientConnection
  /// A request is under way here; connections without any are the first to go when there are too many.
  var activity: ClientConnection.Activity?
  var context: ChannelHandlerContext?
  var state = State.idle
  var parts = CircularBuffer<HTTPServerRequestPart>()
  private var isReadHeld = false
  var isProcessing = false
  var idleTimer: Scheduled<Void>?
  var clientAddress = ""

  init(shared: ProxyContext, pool: UpstreamPool, connection: ClientConnection, isHTTP2: Bool) {
    self.shared = shared
    self.pool = pool
    self.connection = connection
    self.isHTTP2 = isHTTP2
  }

  var limits: EdgeConfiguration.Limits { shared.configuration.limits }

  // MARK: The client's connection

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    let channel = isHTTP2 ? (context.channel.parent ?? context.channel) : context.channel
    clientAddress = channel.remoteAddress?.ipAddress ?? "unknown"
    startIdleTimer(limits.firstRequest)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    clientLeft()
    self.context = nil
  }

  func read(context: ChannelHandlerContext) {
    if wantsClientBytes { context.read() } else { isReadHeld = true }
  }

  private var wantsClientBytes: Bool {
    switch state {
    case .idle: parts.isEmpty
    case .connecting: false
    case .exchanging(let exchange): !exchange.requestEnded && (exchange.upstream?.isWritable ?? false)
    case .discarding: true
    case .done: true
    }
  }

  func resumeReading() {
    guard isReadHeld, wantsClientBytes else { return }
    isReadHeld = false
    context?.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { parts.append(unwrapInboundIn(data)) }

  func channelReadComplete(context: ChannelHandlerContext) {
    process()
    context.fireChannelReadComplete()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable, case .exchanging(let exchange) = state { exchange.upstream?.resumeReading() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    clientLeft()
    context.fireChannelInactive()
  }

  private func clientLeft() {
    idleTimer?.cancel()
    switch state {
    case .connecting(let exchange), .exchanging(let exchange): abandon(exchange)
    case .idle, .discarding, .done: break
    }
    state = .done
    activity = nil
    parts.removeAll()
  }

  func beginActivity() { activity = activity ?? connection.beginRequest() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case .idle = state, let error = error as? HTTPParserError, !isHTTP2 {
      let page: ErrorPage
      switch error {
      case .headerOverflow: page = .refused(status: 431, "its header fields are too large")
      case .invalidVersion: page = .refused(status: 505, "its version is not HTTP/1.1")
      default: page = .refused(status: 400, "it is malformed")
      }
      answer(page, to: nil, keepsClient: false)
    } else {
      context.close(promise: nil)
    }
  }

  func startIdleTimer(_ limit: TimeAmount) {
    idleTimer?.cancel()
    idleTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
      guard let self else { return }
      switch self.state {
      case .idle, .discarding: self.context?.close(promise: nil)
      case .connecting, .exchanging, .done: break
      }
    }
  }
}
