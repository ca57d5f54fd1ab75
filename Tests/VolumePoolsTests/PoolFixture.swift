import Glibc
import LinuxSystem
import Locking
import Logging
import VolumePools

/// A fresh pool directory for one test; `remove` unmounts, detaches and takes everything away.
struct PoolFixture: Sendable {
  let path: String
  let pool: String

  init() throws {
    path = "/tmp/nagaya-pool-\(UInt64.random(in: 0 ... .max))"
    pool = path + "/pool"
    try Directory.make(path)
  }

  /// A pool on a file system of its own that has reflinks.
  static func withReflinks(bytes: Int64 = 4 << 30) async throws -> PoolFixture {
    let fixture = try PoolFixture()
    let image = fixture.path + "/disk"
    try OpenFile(image, .createNew).truncate(to: bytes)
    try await Command.run("mkfs.xfs", ["-q", "-m", "reflink=1", image])
    try Directory.make(fixture.pool)
    try Mounts.mount(try LoopDevice.attach(image).path, at: fixture.pool, type: "xfs")
    return fixture
  }

  func open(
    limitBytes: Int64? = 4 << 30, frozenCopyBytes: Int64 = 1 << 30, freezeDeadline: Duration = .seconds(10),
    afterStep: (@Sendable (FilePool.Step) throws -> Void)? = nil
  ) async throws -> FilePool {
    try await FilePool.open(
      FilePool.Configuration(
        name: "default", directory: pool, limitBytes: limitBytes, reservedBytes: 0, frozenCopyBytes: frozenCopyBytes,
        freezeDeadline: freezeDeadline),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, afterStep: afterStep)
  }

  func image(_ volume: String) -> String { "\(pool)/volumes/\(volume).img" }

  /// Loop devices of this pool.
  func devices() throws -> [LoopDevice] {
    try LoopDevice.all().filter { $0.file.hasPrefix(path + "/") && $0.file != path + "/disk" }.map(\.device)
  }

  func files() throws -> [String] {
    try Directory.names(in: pool + "/volumes") + Directory.names(in: pool + "/records")
      + Directory.names(in: pool + "/snapshots")
  }

  func remove() {
    // The file system of the pool comes last: without it the kernel shows no more where files of devices are.
    for mount in (try? Mounts.table().mounts(under: path)) ?? [] where mount.mountPoint != pool {
      try? Mounts.unmount(mount.mountPoint, lazily: true)
    }
    for device in (try? devices()) ?? [] { try? device.detach() }
    try? Mounts.unmount(pool, lazily: true)
    for (device, file) in (try? LoopDevice.all()) ?? [] where file == path + "/disk" { try? device.detach() }
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

/// Ends a change after one step, once, as a crash would: nothing behind it is run.
final class CrashPoint: Sendable {
  struct Crash: Error {}
  private let step: FilePool.Step
  private let hasFired = Mutex(false)

  init(_ step: FilePool.Step) { self.step = step }

  var fired: Bool { hasFired.withLock { $0 } }

  func reached(_ reached: FilePool.Step) throws {
    guard reached == step else { return }
    hasFired.withLock { $0 = true }
    throw Crash()
  }
}
