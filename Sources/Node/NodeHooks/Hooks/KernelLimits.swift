import LinuxSystem

/// What this machine's kernel gives to no process.
public struct KernelLimits: Sendable, Hashable {
  /// The most open files that a limit may allow (`fs.nr_open`); `nil`: it is not known.
  public var openFiles: UInt64?

  /// Whether containers' groups are of cgroup v2, where devices can be limited.
  public var limitsDevices: Bool

  public init(openFiles: UInt64?, limitsDevices: Bool = false) {
    self.openFiles = openFiles
    self.limitsDevices = limitsDevices
  }

  public static var current: KernelLimits {
    let text = SmallFile.text("/proc/sys/fs/nr_open")?.split(separator: "\n").first
    return KernelLimits(
      openFiles: text.flatMap { UInt64($0) },
      limitsDevices: FileStatus.exists("/sys/fs/cgroup/cgroup.controllers"))
  }
}
