import Glibc
import LinuxSystem
import Logging
import VolumePools

/// The machine of `scripts/in-guest`, which has LVM's kernel and two empty disks.
enum Guest {
  static let isHere = getenv("NAGAYA_GUEST") != nil
  static let disks = ["/dev/ubda", "/dev/ubdb"]
}

/// The volume group on the guest's disks, of 8 GiB, with a thin pool of 2 GiB in it; for one test at a time.
struct LVMPlace: Sendable {
  static let group = "test-group"
  static let thinPool = "thin"
  /// Made by the first test that asks, and kept.
  private static let made = Task {
    try await Command.run("vgcreate", ["-q", "-y", group] + Guest.disks)
    try await Command.run(
      "lvcreate",
      ["-q", "-y", "--type", "thin-pool", "-n", thinPool, "-L", "2G", "--poolmetadatasize", "8M", group])
  }

  let path: String
  var configuration: LVMPool.Configuration

  private init(_ kind: LVMPool.Kind) async throws {
    _ = try await Self.made.value
    path = "/tmp/nagaya-lvm-\(UInt64.random(in: 0 ... .max))"
    try Directory.make(path)
    configuration = LVMPool.Configuration(
      name: "fast", group: Self.group, kind: kind, deadline: .seconds(120), lockDirectory: path + "/locks")
  }

  /// Runs `body` and takes every volume away after that.
  static func with(_ kind: LVMPool.Kind = .thick, _ body: (LVMPlace) async throws -> Void) async throws {
    let place = try await LVMPlace(kind)
    do { try await body(place) } catch {
      await place.clear()
      throw error
    }
    await place.clear()
  }

  private func clear() async {
    for mount in (try? Mounts.table().mounts(under: path)) ?? [] { try? Mounts.unmount(mount.mountPoint) }
    _ = try? await Command.run("lvremove", ["-q", "-ff", "-y", "-S", "lv_name!=\(Self.thinPool)", Self.group])
  }

  func open(
    _ configuration: LVMPool.Configuration? = nil, afterStep: (@Sendable (LVMPool.Step) throws -> Void)? = nil
  ) async throws -> LVMPool {
    try await LVMPool.open(
      configuration ?? self.configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      afterStep: afterStep)
  }

  /// A column of lvs for each logical volume but the thin pool.
  func volumes(_ column: String = "lv_name") async throws -> [String] {
    try await Command.run("lvs", ["--noheadings", "-S", "lv_name!=\(Self.thinPool)", "-o", column, Self.group])
      .standardOutput.split(separator: "\n").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
  }
}
