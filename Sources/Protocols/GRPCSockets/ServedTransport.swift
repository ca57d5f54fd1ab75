import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// A server's transport that says when it is begun, and answers calls in tasks that can be cancelled without it.
final class ServedTransport: ServerTransport {
  typealias Bytes = HTTP2ServerTransport.Posix.Bytes

  private let base: HTTP2ServerTransport.Posix
  private let calls: ServerCalls
  private let begun: AsyncStream<Void>.Continuation
  private let isBegun: AsyncStream<Void>

  init(_ base: HTTP2ServerTransport.Posix, _ calls: ServerCalls) {
    self.base = base
    self.calls = calls
    (isBegun, begun) = AsyncStream.makeStream()
  }

  func configure(context: GRPCServerContext) { base.configure(context: context) }
  func beginGracefulShutdown() { base.beginGracefulShutdown() }

  func listen(
    streamHandler: @escaping @Sendable (_ stream: RPCStream<Inbound, Outbound>, _ context: ServerContext) async -> Void
  ) async throws {
    // From here on its address is known at some time, or that there is none.
    begun.yield()
    try await base.listen { [calls] stream, context in
      await calls.run { await streamHandler(stream, context) }
    }
  }

  /// It will not begin, or has ended.
  func finish() { begun.finish() }

  /// Waits until it listens; to be asked once.
  /// - Returns: `false` if it could not, or ended before.
  func isListening() async -> Bool {
    // A server that was asked to shut down before it began never calls `listen`, and its address is never told.
    for await _ in isBegun { return (try? await base.listeningAddress) != nil }
    return false
  }
}
