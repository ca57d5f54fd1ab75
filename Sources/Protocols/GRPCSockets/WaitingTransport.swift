public import GRPCCore
public import GRPCNIOTransportHTTP2Posix

/// A transport whose calls wait for a connection if they say so (`CallOptions.waitForReady`), until their time is over.
///
/// The one below asks its channel five times at once for a connection. Between the end of one and the moment at which the
/// channel learns of it, each of them finds none, and the call fails though nothing was sent and another connection
/// would come in a moment (grpc-swift-nio-transport 2.9, `GRPCChannel.withStream`).
public struct WaitingTransport: ClientTransport {
  public typealias Bytes = HTTP2ClientTransport.Posix.Bytes

  private let base: HTTP2ClientTransport.Posix
  /// Between two questions for a connection.
  private static let pause = Duration.milliseconds(10)

  init(_ base: HTTP2ClientTransport.Posix) { self.base = base }

  public var retryThrottle: RetryThrottle? { base.retryThrottle }
  public func connect() async throws { try await base.connect() }
  public func beginGracefulShutdown() { base.beginGracefulShutdown() }
  public func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? { base.config(forMethod: descriptor) }

  public func withStream<Result: Sendable>(
    descriptor: MethodDescriptor, options: CallOptions,
    _ closure: (_ stream: RPCStream<Inbound, Outbound>, _ context: ClientContext) async throws -> Result
  ) async throws -> Result {
    let waits = options.waitForReady ?? config(forMethod: descriptor)?.waitForReady ?? false
    while true {
      var isOpen = false
      do {
        return try await base.withStream(descriptor: descriptor, options: options) { stream, context in
          isOpen = true
          return try await closure(stream, context)
        }
      } catch let error as RPCError where waits && !isOpen && Self.isBetweenConnections(error) {
        // The call's own time limit cancels its task.
        try await Task.sleep(for: Self.pause)
      }
    }
  }

  /// What the channel says without a connection; what it says when it shuts down is of the same code.
  static func isBetweenConnections(_ error: RPCError) -> Bool {
    error.code == .unavailable
      && ["Channel isn't ready, no subchannel available.", "subchannel isn't ready"].contains(error.message)
  }
}
