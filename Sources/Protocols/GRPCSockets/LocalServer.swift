public import GRPCCore
import GRPCNIOTransportHTTP2Posix
import LinuxSystem
import ServiceLifecycle

#if canImport(Glibc)
  import Glibc
#endif

/// Servers on unix sockets of this machine that only their owner may speak to.
public enum LocalServer {
  /// Calls at once on one connection. A peer is trusted with more than the HTTP/2 handler's silent 100, above which the
  /// connection ends, and all calls on it with it.
  public static let callsPerConnection = 4096

  /// Serves until the task is cancelled or a graceful shutdown begins; calls under way are then answered first, after
  /// cancellation only what is answered before their connections close.
  /// - Parameters:
  ///   - socket: the path; its directory is made, a stale socket is replaced, and it is removed at the end.
  ///   - messageLimit: bytes of a request.
  ///   - whenListening: what to do once the socket answers.
  /// - Throws: `SystemError` of the socket.
  public static func serve(
    _ services: [any RegistrableRPCService], socket: String, messageLimit: Int = 16 << 20,
    whenListening: @escaping @Sendable () async throws -> Void
  ) async throws {
    try Directory.make(String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)]), permissions: 0o700)
    try Directory.removeFile(socket)
    defer { try? Directory.removeFile(socket) }
    let channels = ServerChannels()
    let server = GRPCServer(
      transport: .http2NIOPosix(
        address: .unixDomainSocket(path: socket), transportSecurity: .plaintext,
        config: .defaults {
          $0.rpc.maxRequestPayloadSize = messageLimit
          $0.http2.maxConcurrentStreams = callsPerConnection
          // Collecting writes for 100 µs pays for throughput; calls on a local socket want an early answer.
          $0.connection.flushCoalescing = nil
          // Peers keep one connection for good, and may ask often whether it lives.
          $0.connection.keepalive.clientBehavior = .init(
            minPingIntervalWithoutCalls: .seconds(1), allowWithoutCalls: true)
          $0.channelDebuggingCallbacks.onBindTCPListener = channels.note(listener:)
          $0.channelDebuggingCallbacks.onAcceptTCPConnection = channels.accept
        }), services: services)
    // The transport drops connections and calls that it was just given when its task is cancelled, and a dropped one
    // ends the process ("Deinited NIOAsyncWriter"). So its task is cancelled only once every channel is closed.
    let serving = Task { try await server.serve() }
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await serving.value }
          do {
            // None if it could not listen, which `serve` tells, or was asked to shut down before it did.
            if (try? await server.listeningAddress) != nil {
              // It is gone if the shutdown was faster.
              guard chmod(socket, 0o600) == 0 || errno == ENOENT else { throw SystemError.last("chmod", socket) }
              group.addTask { try await whenListening() }
            }
            while try await group.next() != nil {}
          } catch {
            end(server, channels, serving)
            throw error
          }
        }
      } onGracefulShutdown: {
        server.beginGracefulShutdown()
      }
    } onCancel: {
      end(server, channels, serving)
    }
  }

  private static func end(
    _ server: GRPCServer<HTTP2ServerTransport.Posix>, _ channels: ServerChannels, _ serving: Task<Void, any Error>
  ) {
    server.beginGracefulShutdown()
    Task {
      await channels.end()
      serving.cancel()
    }
  }
}
