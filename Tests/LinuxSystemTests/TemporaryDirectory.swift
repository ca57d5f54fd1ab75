import LinuxSystem

/// A fresh directory for one test; `remove` unmounts and takes everything in it away.
struct TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = "/tmp/nagaya-linux-\(UInt64.random(in: 0 ... .max))"
    try Directory.make(path)
  }

  func remove() {
    for mount in (try? Mounts.table().mounts(under: path)) ?? [] { try? Mounts.unmount(mount.mountPoint, lazily: true) }
    for (device, file) in (try? LoopDevice.all()) ?? [] where file.hasPrefix(path + "/") { try? device.detach() }
    try? Directory.removeTree(path)
  }
}
