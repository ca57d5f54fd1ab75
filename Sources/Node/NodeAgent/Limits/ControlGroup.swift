import BoundedNumbers
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// A group of processes that the kernel counts and limits together (cgroups(7)), in version 1, version 2, or with
/// controllers in version 1 beside an empty version 2.
struct ControlGroup: Hashable, Sendable {
  /// Below the root of every hierarchy: `/nagaya/pods/3f2c…`.
  let path: String

  static let mountPoint = "/sys/fs/cgroup"
  /// One hierarchy for all controllers.
  static let isUnified = FileStatus.exists("\(mountPoint)/cgroup.controllers")
  private static let controllers = ["cpu", "memory", "pids"]

  static var missingControllers: [String] {
    guard isUnified else { return controllers.filter { ControlGroup(path: "").directory($0) == nil } }
    let present = (SmallFile.text("\(mountPoint)/cgroup.controllers") ?? "").split { $0 == " " || $0 == "\n" }
    return controllers.filter { !present.contains(Substring($0)) }
  }

  /// Where a controller has this group; `nil` if the kernel does not have the controller.
  func directory(_ controller: String) -> String? {
    if Self.isUnified { return Self.mountPoint + path }
    let hierarchy = "\(Self.mountPoint)/\(controller)"
    return FileStatus.exists("\(hierarchy)/cgroup.procs") ? hierarchy + path : nil
  }

  /// Makes the group, and lets it use the controllers that have limits here; fine if it is there.
  func make() throws(SystemError) {
    if Self.isUnified {
      var above = Self.mountPoint
      for part in path.split(separator: "/") {
        let allowed = (SmallFile.text("\(above)/cgroup.controllers") ?? "").split { $0 == " " || $0 == "\n" }
        for controller in Self.controllers where allowed.contains(Substring(controller)) {
          try KernelSetting.write("+\(controller)", to: "\(above)/cgroup.subtree_control")
        }
        above += "/\(part)"
        try Directory.make(above)
      }
      return
    }
    for controller in Self.controllers {
      if let directory = directory(controller) { try Directory.make(directory) }
    }
  }

  /// Takes the group away, with the empty groups in it; fine if it is gone.
  /// - Throws: `SystemError` `EBUSY` while processes are in it.
  func remove() throws(SystemError) {
    let places =
      Self.isUnified
      ? [Self.mountPoint + path]
      : Directory.namesIfReadable(in: Self.mountPoint).map { "\(Self.mountPoint)/\($0)\(path)" }
    // One that stays keeps no other.
    var failure: SystemError?
    for place in places {
      do throws(SystemError) { try Self.removeTree(place) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  private static func removeTree(_ directory: String) throws(SystemError) {
    for name in Directory.namesIfReadable(in: directory) where FileStatus.isDirectory("\(directory)/\(name)") {
      try removeTree("\(directory)/\(name)")
    }
    guard rmdir(directory) == 0 || errno == ENOENT || errno == ENOTDIR else {
      throw SystemError.last("rmdir", directory)
    }
  }

  // MARK: Limits

  /// At most so many processes and threads.
  func limit(processes: Int) throws(SystemError) {
    guard let directory = directory("pids") else { return }
    try KernelSetting.write("\(processes)", to: "\(directory)/pids.max")
  }

  /// At most so much memory, what the kernel keeps for the processes included.
  func limit(memoryBytes: Int64) throws(SystemError) {
    guard let directory = directory("memory") else { return }
    try KernelSetting.write(
      "\(memoryBytes)", to: "\(directory)/\(Self.isUnified ? "memory.max" : "memory.limit_in_bytes")")
  }

  /// A share of the processors where others want them too: 1024 for a core.
  func share(processors shares: Int64) throws(SystemError) {
    guard let directory = directory("cpu") else { return }
    guard Self.isUnified else { return try KernelSetting.write("\(shares)", to: "\(directory)/cpu.shares") }
    // runc's conversion of 2…262144 to 1…10000.
    let weight = 1 + ((shares.clamped(to: 2...262_144) - 2) * 9999) / 262_142
    try KernelSetting.write("\(weight)", to: "\(directory)/cpu.weight")
  }

  /// Moves a process with all its threads here.
  func add(_ process: pid_t) throws(SystemError) {
    let places = Self.isUnified ? [Self.mountPoint + path] : Self.controllers.compactMap(directory)
    for place in places { try KernelSetting.write("\(process)", to: "\(place)/cgroup.procs") }
  }

  // MARK: State

  /// The processes in the group and in those below.
  var processes: [pid_t] {
    guard let directory = directory("pids") ?? directory("memory") else { return [] }
    return Self.processes(below: directory)
  }

  private static func processes(below directory: String) -> [pid_t] {
    var found = (SmallFile.text("\(directory)/cgroup.procs") ?? "").split(separator: "\n").compactMap { pid_t($0) }
    for name in Directory.namesIfReadable(in: directory) where FileStatus.isDirectory("\(directory)/\(name)") {
      found += processes(below: "\(directory)/\(name)")
    }
    return found
  }

  /// Memory that can't be taken back by dropping what is also on a disk; `nil` if the kernel does not count it.
  var workingSetBytes: Int64? {
    guard let directory = directory("memory") else { return nil }
    let file = Self.isUnified ? "memory.current" : "memory.usage_in_bytes"
    guard let usage = SmallFile.text("\(directory)/\(file)").flatMap({ Int64($0.filter { $0 != "\n" }) }) else {
      return nil
    }
    let key = Self.isUnified ? "inactive_file " : "total_inactive_file "
    let inactive = (SmallFile.text("\(directory)/memory.stat") ?? "").split(separator: "\n")
      .first { $0.hasPrefix(key) }.flatMap { Int64($0.dropFirst(key.count)) }
    return max(0, usage - (inactive ?? 0))
  }

  /// Kills everything in the group at once, what is forked meanwhile too.
  func kill() {
    if Self.isUnified, (try? KernelSetting.write("1", to: "\(Self.mountPoint)\(path)/cgroup.kill")) != nil { return }
    // A group that may have no further process can't outrun the kills.
    try? limit(processes: 0)
    for _ in 0..<10 {
      let found = processes
      if found.isEmpty { return }
      for process in found { Glibc.kill(process, SIGKILL) }
    }
  }
}
