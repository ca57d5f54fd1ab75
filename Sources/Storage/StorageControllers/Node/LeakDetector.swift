import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Tells of volumes that the driver keeps but no PersistentVolume names. It deletes nothing: they may hold data.
struct LeakDetector: Service {
  let driver: VolumeDriver
  let caches: NodeStorageCaches
  let informers: [Informer]
  let events: EventRecorder
  let logger: Logger

  func run() async throws {
    try await cancelWhenGracefulShutdown {
      for informer in informers { try await informer.waitUntilSynced() }
      var suspects: Set<String> = []
      while true {
        try await Task.sleep(for: .seconds(300))
        guard let kept = try? await driver.volumes() else { continue }
        let known = Set(caches.volumes.list().compactMap { $0.spec["csi"]["volumeHandle"].string })
        let unknown = kept.subtracting(known)
        // One that was unknown twice is no volume under way.
        for id in unknown.intersection(suspects) {
          logger.warning(
            "a volume without PersistentVolume", metadata: ["volume": "\(id)", "node": "\(caches.node.id)"])
          let node = KubernetesObject(.nodes, name: caches.node.id)
          events.record(
            .warning, about: node, reason: "VolumeWithoutObject",
            message:
              "the driver keeps volume \(id), which no PersistentVolume names; delete it by hand if its data is not needed"
          )
        }
        suspects = unknown
      }
    }
  }
}
