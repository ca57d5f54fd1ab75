import ArgumentParser
import Foundation
import PlatformHarness

/// A kind of pool that is measured or crashed.
enum StorageBackend: String, CaseIterable, ExpressibleByArgument {
  case file
  case lvmThick = "lvm-thick"
  case lvmThin = "lvm-thin"

  static let group = "bench"
  static let thinPool = "thin"

  /// LVM needs a kernel with the device mapper: `scripts/in-guest` has one.
  var needsGuest: Bool { self != .file }
  static var isGuest: Bool { ProcessInfo.processInfo.environment["NAGAYA_GUEST"] != nil }

  /// The pool's name, as storage classes name it.
  var pool: String { self == .file ? "default" : "fast" }

  /// What `nagaya serve storage` is told of it.
  /// - Parameter group: the volume group; each node of a test has its own.
  func arguments(group: String = Self.group) -> [String] {
    switch self {
    case .file: []
    case .lvmThick: ["--lvm-pool", "\(pool)=\(group)"]
    case .lvmThin: ["--lvm-pool", "\(pool)=\(group),thin=\(Self.thinPool)"]
    }
  }

  /// Makes what it lies in, on the guest's disk.
  func prepare(group: String = Self.group, disk: String = "/dev/ubda") async throws {
    guard needsGuest else { return }
    let shell = Shell()
    try await shell.succeed("vgcreate -q -y \(group) \(disk)", seconds: 60)
    if self == .lvmThin {
      try await shell.succeed("lvcreate -q -y --type thin-pool -n \(Self.thinPool) -l 95%FREE \(group)", seconds: 60)
    }
  }

  /// Runs this very program with other arguments in a guest, and shows what it says.
  /// - Parameters:
  ///   - writes: a directory of this machine that it writes for good.
  ///   - diskSize: of each of the guest's two disks; sparse files.
  static func runInGuest(_ arguments: [String], seconds: Int, diskSize: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(PlatformInstance.root)/scripts/in-guest")
    process.arguments = [URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path] + arguments
    var environment = ProcessInfo.processInfo.environment
    environment["GUEST_SECONDS"] = "\(seconds)"
    environment["GUEST_MEMORY"] = "2G"
    environment["GUEST_DISK_SIZE"] = diskSize
    process.environment = environment
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ExitCode(process.terminationStatus) }
  }
}
