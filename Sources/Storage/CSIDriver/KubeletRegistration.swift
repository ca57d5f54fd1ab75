import CSI
import GRPCCore
import GRPCSockets
import LinuxSystem
public import Logging
public import ServiceLifecycle

/// Makes the driver known to a kubelet, without another program beside it: answers on a socket in the kubelet's registry
/// directory, where the kubelet looks (Kubernetes, "Device plugin registration" and "CSI volume plugins": plugin watcher).
public struct KubeletRegistration: Service {
  private let driver: String
  private let endpoint: String
  private let socket: String
  private let logger: Logger

  /// - Parameters:
  ///   - endpoint: the driver's socket as the host sees it.
  ///   - registry: the kubelet's directory: `/var/lib/kubelet/plugins_registry`.
  public init(driver: String, endpoint: String, registry: String, logger: Logger) {
    self.driver = driver
    self.endpoint = endpoint
    socket = "\(registry)/\(driver)-reg.sock"
    self.logger = logger
  }

  public func run() async throws {
    // A kubelet that dials before the driver answers waits two minutes for its next try.
    await cancelWhenGracefulShutdown {
      while !FileStatus.exists(endpoint), (try? await Task.sleep(for: .milliseconds(20))) != nil {}
    }
    guard !Task.isShuttingDownGracefully, !Task.isCancelled else { return }
    try await LocalServer.serve(
      [RegistrationService(driver: driver, endpoint: endpoint, logger: logger)], socket: socket
    ) { [logger, socket] in
      logger.info("the kubelet can register the driver", metadata: ["socket": "\(socket)"])
    }
  }
}

/// What a kubelet asks of a plugin.
private struct RegistrationService: Pluginregistration_Registration.SimpleServiceProtocol {
  let driver: String
  let endpoint: String
  let logger: Logger

  func getInfo(request: Pluginregistration_InfoRequest, context: ServerContext) async throws
    -> Pluginregistration_PluginInfo
  {
    .with {
      $0.type = "CSIPlugin"
      $0.name = driver
      $0.endpoint = endpoint
      // Of the registration, not of CSI.
      $0.supportedVersions = ["1.0.0"]
    }
  }

  func notifyRegistrationStatus(request: Pluginregistration_RegistrationStatus, context: ServerContext) async throws
    -> Pluginregistration_RegistrationStatusResponse
  {
    if request.pluginRegistered {
      logger.notice("the kubelet has registered the driver", metadata: ["driver": "\(driver)"])
    } else {
      // It tries again by itself: here there is nothing to be mended by ending.
      logger.error("the kubelet refuses the driver", metadata: ["driver": "\(driver)", "error": "\(request.error)"])
    }
    return Pluginregistration_RegistrationStatusResponse()
  }
}
