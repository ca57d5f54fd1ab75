import LinuxSystem

/// The block device that shows a volume: where it is used, and what is on it. Kinds of pools differ in how they come by
/// one; what is done to it is the same.
struct VolumeDevice: Sendable, Hashable {
  /// The node itself, not a symbolic link to it.
  let path: String
  /// Device numbers as in mountinfo.
  let major: UInt32
  let minor: UInt32
  /// What else the node may be called below `/dev`: `dm-3`, `mapper/group-volume`.
  let nodes: Set<String>

  init(path: String, major: UInt32, minor: UInt32, nodes: Set<String>) {
    self.path = path
    self.major = major
    self.minor = minor
    self.nodes = nodes
  }

  init(_ device: LoopDevice) {
    self.init(path: device.path, major: LoopDevice.major, minor: device.minor, nodes: ["loop\(device.number)"])
  }

  /// A file system of the device, or a bind mount of its node (a raw block volume); `nil` if this namespace has neither.
  func use(in table: MountTable) throws(SystemError) -> String? {
    if let mount = table.mounts(ofDevice: major, minor).first { return "mounted at \(mount.mountPoint)" }
    // The root of a bind mount is a path in the file system of /dev, or in one that /dev is a directory of.
    let roots = Set(nodes.flatMap { ["/\($0)", "/dev/\($0)"] })
    for entry in table.entries where roots.contains(entry.root) {
      if try entry.isOfDevices() { return "published at \(entry.mountPoint)" }
    }
    return nil
  }

  /// A directory of its file system in this namespace, the whole one if there is; `nil` if it is not mounted.
  func mountedDirectory(in table: MountTable) -> String? {
    let mounts = table.mounts(ofDevice: major, minor).filter { FileStatus.isDirectory($0.mountPoint) }
    return (mounts.first { $0.root == "/" } ?? mounts.first)?.mountPoint
  }

  /// Who keeps a device that this namespace no longer mounts.
  var distantUser: String {
    let holders = Mounts.holders(ofDevice: major, minor)
    return holders.isEmpty ? "\(path) is open" : holders.map(\.description).joined(separator: ", ")
  }
}
