import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import LinuxSystem
import Logging
import ServiceLifecycle

/// The driver's gRPC server on a unix socket; runs until cancelled or asked to shut down.
public final class CSIServer: Service, Sendable {
  private let configuration: DriverConfiguration
  private let socket: String
  private let logger: Logger

  /// - Parameter socket: the path; its directory is made, a stale socket is replaced.
  public init(_ configuration: DriverConfiguration, socket: String, logger: Logger) {
    self.configuration = configuration
    self.socket = socket
    self.logger = logger
  }

  /// Calls under way are answered before it returns on graceful shutdown.
  public func run() async throws {
    try Directory.make(String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)]), permissions: 0o700)
    try Directory.removeFile(socket)
    let server = GRPCServer(
      transport: .http2NIOPosix(
        address: .unixDomainSocket(path: socket), transportSecurity: .plaintext,
        config: .defaults {
          // Collecting writes for 100 µs pays for throughput; calls on a local socket want an early answer.
          $0.connection.flushCoalescing = nil
        }),
      services: [
        IdentityService(configuration: configuration),
        ControllerService(configuration: configuration, logger: logger),
        NodeService(configuration: configuration, logger: logger),
      ])
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.serve() }
        _ = try await server.listeningAddress
        guard chmod(socket, 0o600) == 0 else { throw SystemError("chmod", socket, errno: errno) }
        logger.info("CSI driver listens", metadata: ["socket": "\(socket)"])
        try await group.waitForAll()
      }
    } onGracefulShutdown: {
      server.beginGracefulShutdown()
    }
    try? Directory.removeFile(socket)
  }
}
