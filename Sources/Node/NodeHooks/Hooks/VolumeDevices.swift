import Glibc
import KubernetesAPI
import LinuxSystem
import NRI

/// The block devices below the volumes of a container.
enum VolumeDevices {
  /// What `io.max` of a container's group is to say (cgroup v2, "IO Interface Files"): a line for each device. Of each device the
  /// first rule counts.
  /// - Parameter classes: the storage class of a volume, if it is known.
  static func lines(
    of container: NRIContainer, _ rules: [NodePolicy.VolumeLimit], classes: (String) -> String?
  ) -> [String] {
    var words: [String: String] = [:]
    for rule in rules {
      for mount in container.mounts {
        guard let volume = volume(of: mount.source) else { continue }
        if !rule.storageClasses.isEmpty {
          guard let name = classes(volume), rule.storageClasses.contains(name) else { continue }
        }
        guard let device = device(below: mount.source), words[device] == nil else { continue }
        words[device] = line(device, rule.limits)
      }
    }
    return words.sorted { $0.key < $1.key }.map(\.value)
  }

  static let file = "io.max"

  /// What is not limited is said, too: the kernel would keep an earlier limit.
  static func line(_ device: String, _ limits: [String: UInt64]) -> String {
    let words = ["rbps", "wbps", "riops", "wiops"].map { name in
      "\(name)=\(limits[name].map { String($0) } ?? "max")"
    }
    return ([device] + words).joined(separator: " ")
  }

  /// The name of the persistent volume that a kubelet, or our node agent, has mounted at a path:
  /// `<pod>/volumes/kubernetes.io~csi/<volume>/mount`.
  static func volume(of source: String) -> String? {
    let parts = source.split(separator: "/")
    guard parts.count >= 4, parts.last == "mount", ["kubernetes.io~csi", "csi"].contains(parts[parts.count - 3]),
      parts[parts.count - 4] == "volumes"
    else { return nil }
    return String(parts[parts.count - 2])
  }

  /// `8:0`; `nil` if no block device is below, as with tmpfs. Limits are of whole disks, so a partition is its disk.
  static func device(below path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let device = status.st_mode & S_IFMT == S_IFBLK ? status.st_rdev : status.st_dev
    let (major, minor) = (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00)
    guard major != 0 else { return nil }
    let name = "/sys/dev/block/\(major):\(minor)"
    guard FileStatus.exists("\(name)/partition") else { return "\(major):\(minor)" }
    return SmallFile.text("\(name)/../dev")?.split(separator: "\n").first.map(String.init)
  }
}
