import CSIDriver
import Logging
import VolumePools

/// The volumes of an instance: one pool in files, and the CSI driver over it.
struct LocalStorage {
  private let options: PlatformOptions
  private let layout: Layout
  private let pool: FilePool

  init(_ options: PlatformOptions, layout: Layout, logger: Logger) async throws {
    self.options = options
    self.layout = layout
    pool = try await FilePool.open(
      FilePool.Configuration(
        name: "default", directory: layout.pool,
        limitBytes: try options.poolSize.map { try Sizes.bytes($0, option: "--pool-size", least: 1) }),
      logger: logger)
  }

  func driver(logger: Logger) -> CSIServer {
    CSIServer(
      DriverConfiguration(nodeName: options.resolvedNodeName, pools: [pool]), socket: layout.csiSocket, logger: logger)
  }
}
