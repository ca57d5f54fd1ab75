import LinuxSystem
import Logging

/// Where containerd and its shims are counted: containerd with a bound of its own, the shims (which inherit from it) beside it,
/// so that a node full of pods does not fill that bound.
struct EngineControlGroups: Hashable, Sendable {
  let engine: ControlGroup
  let shims: ControlGroup

  init(below path: String) {
    engine = ControlGroup(path: "\(path)/engine")
    shims = ControlGroup(path: "\(path)/shims")
  }

  /// A quarter of the machine, between 1 and 4 GiB: far above what containerd needs, pages of its files included.
  static func memoryLimit(ofMachine bytes: Int64) -> Int64 { min(max(bytes / 4, 1 << 30), 4 << 30) }

  /// Makes both groups.
  /// - Returns: whether this machine lets us; a container without control groups of its own does not.
  func make(logger: Logger) -> Bool {
    do throws(SystemError) {
      try engine.make()
      try shims.make()
      let machine = MachineFacts.memoryBytes
      if machine > 0 { try engine.limit(memoryBytes: Self.memoryLimit(ofMachine: machine)) }
      return true
    } catch {
      logger.warning("containerd can't be bounded: control groups can't be made", metadata: ["error": "\(error)"])
      return false
    }
  }
}

/// Limits of the kernel over all processes of one user, or of the machine. Every container's root is the same user to the
/// kernel, so one pod could take them all; what they count is memory too, which control groups bound.
enum SharedKernelLimits {
  private static let least: [(path: String, value: Int64)] = [
    ("/proc/sys/fs/file-max", 1 << 40), ("/proc/sys/fs/inotify/max_user_instances", 1 << 20),
    ("/proc/sys/fs/inotify/max_user_watches", 1 << 22), ("/proc/sys/fs/aio-max-nr", 1 << 22),
    ("/proc/sys/kernel/pid_max", 1 << 22), ("/proc/sys/kernel/threads-max", 1 << 20),
  ]

  /// Raises what is lower, where the machine lets us.
  static func raise(logger: Logger) {
    for (path, value) in least {
      guard let present = SmallFile.text(path).flatMap({ Int64($0.filter { $0 != "\n" }) }), present < value else {
        continue
      }
      do throws(SystemError) { try KernelSetting.write("\(value)", to: path) } catch {
        logger.info("a limit that all pods share can't be raised", metadata: ["error": "\(error)"])
      }
    }
  }
}
