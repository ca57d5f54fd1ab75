import LinuxSystem
import NRI
import Testing

@testable import NodeHooks

/// Directories as a node agent has them for a pod's volumes, all on one device.
struct StagedVolumes {
  let pod: String
  let device: String

  static func with(_ names: String..., body: (StagedVolumes) throws -> Void) throws {
    let pod = "/var/lib/nagaya-volumes-\(UInt32.random(in: 0 ... .max))"
    defer {
      for mount in (try? Mounts.table())?.mounts(under: pod) ?? [] { try? Mounts.unmount(mount.mountPoint) }
      try? Directory.removeTree(pod)
    }
    try Directory.make("\(pod)/disk")
    for name in names { try mount("\(pod)/volumes/csi/\(name)/mount", pod) }
    let device = try #require(MountedDevices().device(at: "\(pod)/volumes/csi/\(names[0])/mount"))
    try body(StagedVolumes(pod: pod, device: device))
  }

  /// Shows what is on the one device at a place, too.
  static func mount(_ place: String, _ pod: String) throws {
    try Directory.make(place)
    try Mounts.bind("\(pod)/disk", at: place)
  }

  func container(_ sources: String...) -> NRIContainer {
    .with {
      $0.name = "db"
      $0.mounts = sources.map { source in .with { $0.source = "\(pod)/\(source)" } }
    }
  }
}
