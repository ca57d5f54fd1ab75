import JSONDocument
import KubernetesAPI
import LinuxSystem
import Logging

/// What the pod has on the node's disk: looked at by `DiskWatch`; who takes more than he may is evicted.
extension PodWorker {
  /// Measures the pod, and ends it if it has more than its limits.
  /// - Returns: `nil` if the pod does not run.
  func checkDisk() async -> PodDiskUsage? {
    guard canBeEvicted else { return nil }
    let (places, pod, limits) = (diskPlaces(), pod, context.node.limits)
    let measured = try? await BlockingWork.run {
      PodDiskUsage(measuring: places, mostBytes: PodDiskUsage.mostBytes(of: pod), mostInodes: limits.podInodes)
    }
    guard let measured, canBeEvicted else { return nil }
    if let excess = measured.excess(of: pod, limits: limits) {
      evict(excess)
      return nil
    }
    return measured
  }

  private var canBeEvicted: Bool { eviction == nil && stage == .active && !shouldEnd }

  /// Ends the pod for good: its processes at once, the rest as the next step.
  func evict(_ message: String) {
    guard canBeEvicted else { return }
    logger.info("evicting a pod", metadata: ["reason": .string(message)])
    context.events.record(.warning, about: pod, reason: "Evicted", message: message)
    eviction = message
    // What goes on writing meanwhile takes more of what is lacking.
    PodControlGroup(pod: pod, node: context.node).group.kill()
    wake.raise()
  }

  /// Remembers where a container writes, while it runs: afterwards nobody can tell.
  func findLayer(of containerID: String) async {
    let found = try? await BlockingWork.run { WritableLayer.directory(of: containerID) }
    if let found { layers[containerID] = found }
  }

  private func diskPlaces() -> PodDiskUsage.Places {
    let logs = PodConfigurations(pod: pod, node: context.node).logDirectory
    var places = PodDiskUsage.Places()
    for record in records {
      if layers[record.id] == nil { layers[record.id] = WritableLayer.directory(of: record.id) }
      places.containers[record.name, default: ["\(logs)/\(record.name)"]] += [layers[record.id]].compactMap(\.self)
    }
    for volume in pod.spec["volumes"].elements {
      guard let name = volume["name"].string, !volume["emptyDir"].isNull,
        volume["emptyDir"]["medium"].string != "Memory"
      else { continue }
      places.volumes[name] = hostPaths?[name]
    }
    layers = layers.filter { entry in records.contains { $0.id == entry.key } }
    return places
  }

  /// Gives back what an evicted pod has on the disk but for its logs; its containers have ended.
  func removeWrittenLayers() {
    for layer in layers.values {
      for name in Directory.namesIfReadable(in: layer) { try? Directory.removeTree("\(layer)/\(name)") }
    }
  }
}

/// Where the writes of a container into its root file system go.
enum WritableLayer {
  /// The upper directory of the overlay that the runtime mounted for a running container; `nil` if it has none.
  static func directory(of containerID: String) -> String? {
    let entries = (try? Mounts.table())?.entries ?? []
    let root = entries.last { $0.mountPoint.hasSuffix("/\(containerID)/rootfs") && $0.fileSystemType == "overlay" }
    return root?.superOptions.first { $0.hasPrefix("upperdir=") }.map { String($0.dropFirst("upperdir=".count)) }
  }
}
