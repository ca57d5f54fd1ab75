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

  /// Serves until the task is cancelled or a graceful shutdown begins; calls under way are then answered first, for as
  /// long as `drain`; after cancellation, and after that time, calls are cancelled and connections closed.
  ///
  /// It returns when all calls have: a service must heed cancellation.
  /// - Parameters:
  ///   - socket: the path; its directory is made, a stale socket is replaced, and it is removed at the end.
  ///   - messageLimit: bytes of a request.
  ///   - drain: how long a graceful shutdown waits for calls, and for peers to leave.
  ///   - whenListening: what to do once the socket answers.
  /// - Throws: `SystemError` of the socket.
  public static func serve(
    _ services: [any RegistrableRPCService], socket: String, messageLimit: Int = 16 << 20,
    drain: Duration = .seconds(10), whenListening: @escaping @Sendable () async throws -> Void
  ) async throws {
    try Directory.make(String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)]), permissions: 0o700)
    let hidden = hiddenPath(of: socket)
    for path in [socket, hidden] { try Directory.removeFile(path) }
    defer { for path in [socket, hidden] { try? Directory.removeFile(path) } }
    let (channels, calls) = (ServerChannels(), ServerCalls())
    let transport = ServedTransport(
      .http2NIOPosix(
        address: .unixDomainSocket(path: hidden), transportSecurity: .plaintext,
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
        }), calls)
    let server = GRPCServer(transport: transport, services: services)
    // Never cancelled: its connections and calls are ended instead (`ServerChannels` says why), and then it ends.
    let serving = Task {
      defer { transport.finish() }
      try await server.serve()
    }
    let ending = ServerEnding(channels, calls) { server.beginGracefulShutdown() }
    defer { ending.finish() }
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            // A server that is asked to shut down before it listens calls that an error.
            do { try await serving.value } catch  where ending.hasBegun {}
          }
          do {
            if await transport.isListening() {
              try show(hidden, as: socket)
              group.addTask { try await whenListening() }
            }
            while try await group.next() != nil {}
          } catch {
            ending.begin(within: .zero)
            throw error
          }
        }
      } onGracefulShutdown: {
        ending.begin(within: drain)
      }
    } onCancel: {
      ending.begin(within: .zero)
    }
  }

  /// Where a socket is made: beside its place, so that whoever waits for it there (a kubelet, say, which passes over what begins
  /// with a dot) finds it when it answers and is its owner's alone, and not a moment earlier. No longer than the socket's own
  /// path, for which there are 107 bytes: sockets of one directory must differ in more than their first letter.
  static func hiddenPath(of socket: String) -> String {
    let bytes = Array(socket.utf8)
    let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    // Its first letter makes room for the dot.
    let rest: ArraySlice<UInt8> = bytes.count - start > 1 ? bytes[(start + 1)...] : [UInt8(ascii: "_")]
    return String(decoding: bytes[..<start] + [UInt8(ascii: ".")] + rest, as: UTF8.self)
  }

  private static func show(_ hidden: String, as socket: String) throws(SystemError) {
    // It is gone if the shutdown was faster.
    guard chmod(hidden, 0o600) == 0 else {
      if errno == ENOENT { return }
      throw SystemError.last("chmod", hidden)
    }
    guard rename(hidden, socket) == 0 || errno == ENOENT else { throw SystemError.last("rename", socket) }
  }
}
