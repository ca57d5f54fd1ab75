import CSIDriver
import Logging
import VolumePools

/// The volumes of a node: one pool in files, and the CSI driver over it.
struct LocalStorage {
  private let node: String
  private let pool: FilePool

  /// - Parameters:
  ///   - directory: of the pool.
  ///   - limit: bytes that it may hand out; `nil`: what the file system has.
  init(node: String, directory: String, limit: Int64?, logger: Logger) async throws {
    self.node = node
    pool = try await FilePool.open(
      FilePool.Configuration(name: "default", directory: directory, limitBytes: limit), logger: logger)
  }

  func driver(socket: String, logger: Logger) -> CSIServer {
    CSIServer(DriverConfiguration(nodeName: node, pools: [pool]), socket: socket, logger: logger)
  }
}
