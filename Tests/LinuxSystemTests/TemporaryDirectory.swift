import Glibc
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
    Self.removeTree(path)
  }

  private static func removeTree(_ path: String) {
    for name in (try? Directory.names(in: path)) ?? [] {
      let child = "\(path)/\(name)"
      if (try? FileStatus(of: child))?.kind == .directory { removeTree(child) } else { unlink(child) }
    }
    rmdir(path)
  }
}
