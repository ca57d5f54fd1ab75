import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Tells of volumes and snapshots that the driver keeps but no object names. It deletes nothing: they may hold data.
struct LeakDetector: Service {
  let driver: VolumeDriver
  let caches: NodeStorageCaches
  let informers: [Informer]
  /// Those of this node; `nil`: snapshots are somebody else's.
  let contents: ObjectCache?
  let events: EventRecorder
  let logger: Logger

  func run() async throws {
    try await cancelWhenGracefulShutdown {
      for informer in informers { try await informer.waitUntilSynced() }
      var suspects: Set<String> = []
      while true {
        try await Task.sleep(for: .seconds(300))
        guard let unknown = try? await unknown() else { continue }
        // One that was unknown twice is none under way.
        for id in unknown.intersection(suspects) {
          logger.warning("kept without an object", metadata: ["what": "\(id)", "node": "\(caches.node.id)"])
          let node = KubernetesObject(.nodes, name: caches.node.id)
          events.record(
            .warning, about: node, reason: "VolumeWithoutObject",
            message: "the driver keeps \(id), which no object names; delete it by hand if its data is not needed")
        }
        suspects = unknown
      }
    }
  }

  private func unknown() async throws -> Set<String> {
    let volumes = Set(caches.volumes.list().compactMap { $0.spec["csi"]["volumeHandle"].string })
    var unknown = Set(try await driver.volumes().subtracting(volumes).map { "volume \($0)" })
    if let contents {
      let snapshots = Set(
        contents.list().flatMap { content in
          [content.status["snapshotHandle"].string, SnapshotBinding.driverName(of: content)].compactMap(\.self)
        })
      unknown.formUnion(try await driver.snapshots().subtracting(snapshots).map { "snapshot \($0)" })
    }
    return unknown
  }
}
