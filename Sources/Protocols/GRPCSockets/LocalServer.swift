public import GRPCCore
import GRPCNIOTransportHTTP2Posix
import LinuxSystem
import ServiceLifecycle

#if canImport(Glibc)
  import Glibc
#endif

/// Servers on unix sockets of this machine that only their owner may speak to.
public enum LocalServer {
  /// Serves until the task is cancelled or a graceful shutdown begins; calls under way are then answered first.
  /// - Parameters:
  ///   - socket: the path; its directory is made, a stale socket is replaced, and it is removed at the end.
  ///   - messageLimit: bytes of a request.
  ///   - whenListening: what to do once the socket answers.
  /// - Throws: `SystemError` of the socket.
  public static func serve(
    _ services: [any RegistrableRPCService], socket: String, messageLimit: Int = 16 << 20,
    whenListening: @escaping @Sendable () async throws -> Void
  ) async throws {
    try Directory.make(String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)]))
    try Directory.removeFile(socket)
    let server = GRPCServer(
      transport: .http2NIOPosix(
        address: .unixDomainSocket(path: socket), transportSecurity: .plaintext,
        config: .defaults {
          $0.rpc.maxRequestPayloadSize = messageLimit
          // Collecting writes for 100 µs pays for throughput; calls on a local socket want an early answer.
          $0.connection.flushCoalescing = nil
          // Peers keep one connection for good, and may ask often whether it lives.
          $0.connection.keepalive.clientBehavior = .init(
            minPingIntervalWithoutCalls: .seconds(1), allowWithoutCalls: true)
          $0.channelDebuggingCallbacks.onAcceptTCPConnection = PingAnswerer.install
        }), services: services)
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.serve() }
        // None if it could not listen, which `serve` tells, or was asked to shut down before it did.
        if (try? await server.listeningAddress) != nil {
          // It is gone if the shutdown was faster.
          guard chmod(socket, 0o600) == 0 || errno == ENOENT else { throw SystemError.last("chmod", socket) }
          group.addTask { try await whenListening() }
        }
        try await group.waitForAll()
      }
    } onGracefulShutdown: {
      server.beginGracefulShutdown()
    }
    try? Directory.removeFile(socket)
  }
}
