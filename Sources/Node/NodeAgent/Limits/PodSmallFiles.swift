import CRI
import JSONDocument
import KubernetesAPI
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// The files of the node that every container of a pod can write: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname` and the
/// termination logs. They are in a file system of their own in memory, as large as they need: what a container writes more
/// into them fails in the container.
struct PodSmallFiles: Hashable, Sendable {
  let podDirectory: String

  var directory: String { "\(podDirectory)/small" }

  /// Paths in a container, and the files that stand for them.
  var systemFiles: [(path: String, file: String)] {
    ["hosts", "resolv.conf", "hostname"].map { ("/etc/\($0)", "\(directory)/\($0)") }
  }

  func terminationLog(_ name: String, attempt: Int) -> String { "\(directory)/\(name)/\(attempt).termination" }

  /// Bytes that a container's termination log may have beside the system files: more than what is read of it.
  private static let bytesPerContainer = 16 << 10
  private static let leastBytes = 64 << 10

  /// Makes the file system, unless it is there, and writes the system files.
  func make(_ files: [String: [UInt8]], containers: Int) throws(SystemError) {
    try Directory.make(directory, permissions: 0o755)
    if !isMounted {
      let bytes = files.values.reduce(0) { $0 + 2 * $1.count }
      try Mounts.mount(
        "tmpfs", at: directory, type: "tmpfs",
        options: [
          "size=\(Self.leastBytes + bytes + Self.bytesPerContainer * containers)", "nr_inodes=\(64 + 8 * containers)",
          "mode=0755", "nosuid", "nodev", "noexec",
        ])
    }
    for (name, bytes) in files { try SmallFile.write(bytes, to: "\(directory)/\(name)") }
  }

  /// Makes an empty termination log that any user may write.
  func makeTerminationLog(_ name: String, attempt: Int) throws(SystemError) -> String {
    let path = terminationLog(name, attempt: attempt)
    try Directory.make("\(directory)/\(name)")
    try SmallFile.write([], to: path, permissions: 0o666)
    return path
  }

  /// Takes the file system away; fine if it is gone.
  func remove() throws(SystemError) {
    if isMounted { try Mounts.unmount(directory, lazily: true) }
  }

  /// A mounted file system has another device number than the directory that it stands in.
  private var isMounted: Bool {
    guard let inner = (try? FileStatus(of: directory)) ?? nil, let outer = (try? FileStatus(of: podDirectory)) ?? nil
    else { return false }
    return inner.device != outer.device
  }
}

extension PodConfigurations {
  /// What the pod's containers find in `/etc`.
  func systemFiles(podIP: String) -> [String: [UInt8]] {
    [
      "hosts": pod.isHostNetwork ? Self.nodeFile("/etc/hosts") : Array(hostsFile(podIP: podIP).utf8),
      "hostname": Array("\(pod.isHostNetwork ? Self.nodeHostname : hostname)\n".utf8),
      "resolv.conf": dnsConfig.map { Array(Self.resolverFile($0).utf8) } ?? Self.nodeFile("/etc/resolv.conf"),
    ]
  }

  private static func nodeFile(_ path: String) -> [UInt8] { (try? SmallFile.read(path, limit: 64 << 10)) ?? [] }

  private static var nodeHostname: String {
    (SmallFile.text("/proc/sys/kernel/hostname") ?? "").filter { $0 != "\n" }
  }

  /// resolv.conf(5)
  static func resolverFile(_ config: Runtime_V1_DNSConfig) -> String {
    var text = ""
    if !config.searches.isEmpty { text += "search \(config.searches.joined(separator: " "))\n" }
    for server in config.servers { text += "nameserver \(server)\n" }
    if !config.options.isEmpty { text += "options \(config.options.joined(separator: " "))\n" }
    return text
  }
}
