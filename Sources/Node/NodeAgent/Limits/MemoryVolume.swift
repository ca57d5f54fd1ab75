import JSONDocument
import KubernetesAPI

/// `emptyDir` with `medium: Memory`: as large as it was asked for, never larger than the pod's memory, and where neither is
/// said, a fraction of the node's.
enum MemoryVolume {
  /// Of the node's memory, in a pod without limits.
  private static let share: Int64 = 8

  /// Options of tmpfs(5).
  static func bounds(
    of volume: JSONValue, in pod: KubernetesObject, nodeMemoryBytes: Int64 = MachineFacts.memoryBytes
  ) -> [String] {
    let wanted = volume["emptyDir"]["sizeLimit"].quantity.map { max(1, $0.value) } ?? .max
    let most = PodControlGroup.memoryLimit(of: pod) ?? max(nodeMemoryBytes / share, 64 << 20)
    let bytes = min(wanted, most)
    // An empty file costs the kernel memory too.
    return ["size=\(bytes)", "nr_inodes=\(max(1024, bytes / 4096))"]
  }
}
