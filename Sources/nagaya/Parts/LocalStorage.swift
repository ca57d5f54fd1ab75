import CSIDriver
import Logging
import ProcessMetrics
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

  /// What the pool has, under the labels that Kubernetes' own figures of volumes have not: those are the kubelet's.
  var metrics: MetricsText {
    get async {
      var text = MetricsText()
      guard let capacity = try? await pool.capacity() else { return text }
      let labels: KeyValuePairs = ["node": node, "pool": pool.poolName]
      text.gauge("nagaya_pool_size_bytes", "What volumes may take together.", Double(capacity.totalBytes), labels)
      text.gauge("nagaya_pool_allocated_bytes", "What is promised to volumes.", Double(capacity.allocatedBytes), labels)
      text.gauge(
        "nagaya_pool_available_bytes", "What new volumes may take together.", Double(capacity.availableBytes), labels)
      text.gauge("nagaya_pool_volumes", "Volumes.", capacity.volumes, labels)
      return text
    }
  }

  func driver(socket: String, logger: Logger) -> CSIServer {
    CSIServer(DriverConfiguration(nodeName: node, pools: [pool]), socket: socket, logger: logger)
  }
}
