import GRPCSockets
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
    try await LocalServer.serve(
      [
        IdentityService(configuration: configuration),
        ControllerService(configuration: configuration, logger: logger),
        NodeService(configuration: configuration, logger: logger),
      ], socket: socket
    ) { [logger, socket] in
      logger.info("CSI driver listens", metadata: ["socket": "\(socket)"])
    }
  }
}
