import CSIDriver
import Logging
import ProcessMetrics
import VolumePools

/// The volumes of a node: one pool in files, those in LVM that were named, and the CSI driver over them.
struct LocalStorage {
  private let node: String
  let pools: [any VolumeBackend]

  /// - Parameters:
  ///   - directory: of the pool.
  ///   - limit: bytes that it may hand out; `nil`: what the file system has.
  ///   - lvmPools: beside the one in files, each of another name.
  ///   - passesOverMissing: pools in LVM that cannot be opened are left out.
  init(
    node: String, directory: String, limit: Int64?, lvmPools: [LVMPoolArgument] = [], passesOverMissing: Bool = false,
    logger: Logger
  ) async throws {
    self.node = node
    var pools: [any VolumeBackend] = [
      try await FilePool.open(
        FilePool.Configuration(name: "default", directory: directory, limitBytes: limit), logger: logger)
    ]
    for argument in lvmPools {
      let name = argument.configuration.name
      guard !pools.contains(where: { $0.poolName == name }) else {
        throw CommandFailure(
          "--lvm-pool \(argument.argument): there is a pool \(name) already", remedy: "give it another name")
      }
      do { pools.append(try await LVMPool.open(argument.configuration, logger: logger)) } catch let error as VolumeError
      {
        if passesOverMissing { continue }
        throw CommandFailure(
          "--lvm-pool \(argument.argument): \(error)",
          remedy: "mend that, or start without this pool: its volumes are kept, and not served")
      }
    }
    self.pools = pools
  }

  /// What the pools have, under the labels that Kubernetes' own figures of volumes have not: those are the kubelet's.
  var metrics: MetricsText {
    get async {
      var text = MetricsText()
      for pool in pools {
        guard let capacity = try? await pool.capacity(for: nil) else { continue }
        let labels: KeyValuePairs = ["node": node, "pool": pool.poolName]
        text.gauge("nagaya_pool_size_bytes", "What volumes may take together.", Double(capacity.totalBytes), labels)
        text.gauge(
          "nagaya_pool_allocated_bytes", "What is promised to volumes and snapshots.", Double(capacity.allocatedBytes),
          labels)
        text.gauge(
          "nagaya_pool_available_bytes", "What new volumes may take together.", Double(capacity.availableBytes), labels)
        text.gauge("nagaya_pool_volumes", "Volumes.", capacity.volumes, labels)
        text.gauge("nagaya_pool_snapshots", "Snapshots.", await pool.snapshots().count, labels)
      }
      return text
    }
  }

  func driver(socket: String, logger: Logger) -> CSIServer {
    CSIServer(DriverConfiguration(nodeName: node, pools: pools), socket: socket, logger: logger)
  }
}
