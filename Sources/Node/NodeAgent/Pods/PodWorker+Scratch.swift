import JSONDocument
import KubernetesAPI
import LinuxSystem
import Logging

/// `emptyDir.sizeLimit` (core/v1 `EmptyDirVolumeSource`): looked at from time to time; who takes more is evicted.
extension PodWorker {
  func checkScratchLimits() async {
    guard eviction == nil, stage == .active, !shouldEnd else { return }
    for volume in pod.spec["volumes"].elements {
      // In memory the kernel holds the limit.
      let source = volume["emptyDir"]
      guard source["medium"].string != "Memory", let limit = source["sizeLimit"].quantity, limit.value > 0,
        let name = volume["name"].string, let path = hostPaths?[name]
      else { continue }
      let used = await ScratchUsage.bytes(below: path)
      guard used > limit.value, eviction == nil, stage == .active, !shouldEnd else { continue }
      let message =
        "Usage of EmptyDir volume \"\(name)\" exceeds the limit \"\(source["sizeLimit"].string ?? "\(limit.value)")\"."
      logger.info("evicting a pod", metadata: ["volume": .string(name), "used": "\(used)", "limit": "\(limit.value)"])
      context.events.record(.warning, about: pod, reason: "Evicted", message: message)
      eviction = message
      wake.raise()
      return
    }
  }
}

/// What a directory tree takes on its disk.
enum ScratchUsage {
  /// Bytes of the blocks of everything below a directory, on its file system; a file with several names counts once.
  static func bytes(below directory: String) async -> Int64 {
    guard let top = (try? FileStatus(of: directory)) ?? nil else { return 0 }
    var (sum, seen): (Int64, Set<UInt64>) = (0, [])
    var open = [directory]
    while let path = open.popLast() {
      for name in Directory.namesIfReadable(in: path) {
        let child = "\(path)/\(name)"
        guard let status = (try? FileStatus(of: child)) ?? nil, status.device == top.device,
          seen.insert(status.inode).inserted
        else { continue }
        sum += status.allocatedBytes
        if status.kind == .directory { open.append(child) }
      }
    }
    return sum
  }
}
