import JSONDocument
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// What the kernel says about this machine.
struct MachineFacts: Hashable, Sendable {
  var cores: Int
  var memoryBytes: Int64
  var diskBytes: Int64
  var architecture: String
  var kernel: String
  var machineID: String
  var bootID: String
  var osImage: String

  /// - Parameter directory: on the file system whose size counts as ephemeral storage.
  static func read(directory: String) -> MachineFacts {
    var names = utsname()
    uname(&names)
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    var disk = statvfs()
    let diskBytes = statvfs(directory, &disk) == 0 ? Int64(disk.f_blocks) * Int64(disk.f_frsize) : 0
    let release = (SmallFile.text("/etc/os-release") ?? "").split(separator: "\n")
      .first { $0.hasPrefix("PRETTY_NAME=") }
    func line(_ path: String) -> String { (SmallFile.text(path) ?? "").filter { $0 != "\n" } }
    return MachineFacts(
      cores: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), memoryBytes: memoryBytes, diskBytes: diskBytes,
      architecture: architectureName(text(names.machine)), kernel: text(names.release),
      machineID: line("/etc/machine-id"),
      bootID: line("/proc/sys/kernel/random/boot_id"),
      osImage: release.map { $0.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" } } ?? "Linux")
  }

  /// All memory; 0 if the kernel does not say.
  static var memoryBytes: Int64 {
    let memory = (SmallFile.text("/proc/meminfo") ?? "").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
    return (memory?.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0) << 10
  }

  /// Go's names, which `kubernetes.io/arch` uses.
  static func architectureName(_ machine: String) -> String {
    switch machine {
    case "x86_64": "amd64"
    case "aarch64": "arm64"
    default: machine
    }
  }
}
