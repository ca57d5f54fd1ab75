import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCSockets
import Glibc
import LinuxSystem
public import Logging
public import ServiceLifecycle

/// Serves containerd's snapshotter API on a unix socket, as a proxy plugin; runs until cancelled or asked to shut down.
///
/// Mounted snapshots and running containers do not need it: it may be restarted, or killed, at any time.
public final class SnapshotServer: Service, Sendable {
  private let configuration: SnapshotterConfiguration
  private let layers: any RemoteLayers
  private let logger: Logger

  /// Bytes of a message; what containerd allows itself.
  static let messageLimit = 16 << 20

  /// - Parameter layers: decides which layers need no unpacking.
  public init(configuration: SnapshotterConfiguration, layers: any RemoteLayers, logger: Logger) {
    self.configuration = configuration
    self.layers = layers
    self.logger = logger
  }

  /// - Throws: when the root can't be used, or another process works on it; `SystemError` of the socket.
  public func run() async throws {
    try Directory.make(configuration.root, permissions: 0o700)
    guard let lock = try FileLock(configuration.lockFile) else {
      throw SnapshotError.rootInUse(configuration.root)
    }
    let snapshotter = try Snapshotter(root: configuration, layers: layers, logger: logger)
    try await serve(snapshotter)
    try snapshotter.close()
    withExtendedLifetime(lock) {}
  }

  private func serve(_ snapshotter: Snapshotter) async throws {
    let socket = configuration.socket
    try Directory.make(String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)]))
    try Directory.removeFile(socket)
    let server = GRPCServer(
      transport: .http2NIOPosix(
        address: .unixDomainSocket(path: socket), transportSecurity: .plaintext,
        config: .defaults {
          $0.rpc.maxRequestPayloadSize = Self.messageLimit
          // Collecting writes for 100 µs pays for throughput; calls on a local socket want an early answer.
          $0.connection.flushCoalescing = nil
          // containerd keeps one connection for good, and may ask often whether it lives.
          $0.connection.keepalive.clientBehavior = .init(
            minPingIntervalWithoutCalls: .seconds(1), allowWithoutCalls: true)
          $0.channelDebuggingCallbacks.onAcceptTCPConnection = PingAnswerer.install
        }), services: [SnapshotsService(snapshotter: snapshotter)])
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.serve() }
        // None if it could not listen, which `serve` tells, or was asked to shut down before it did.
        if (try? await server.listeningAddress) != nil {
          // It is gone if the shutdown was faster.
          guard chmod(socket, 0o600) == 0 || errno == ENOENT else { throw SystemError.last("chmod", socket) }
          logger.info("snapshotter listens", metadata: ["socket": "\(socket)"])
          group.addTask { await snapshotter.takeUpLayers() }
        }
        try await group.waitForAll()
      }
    } onGracefulShutdown: {
      server.beginGracefulShutdown()
    }
    try? Directory.removeFile(socket)
  }
}
