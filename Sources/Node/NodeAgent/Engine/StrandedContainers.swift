#if canImport(Glibc)
  import Glibc
#endif

/// Container processes that were cut off before they began.
///
/// When a client of containerd dies in the middle of a start, containerd kills the `runc create` that is under way. What
/// that had forked (`runc init`, waiting at its fifo for the word to go on) is then nobody's: no shim is its parent, no
/// list names it, yet its mount namespace holds the pod's volumes for ever.
struct StrandedContainers {
  /// containerd's state directory; runc keeps its fifos below it.
  let stateDirectory: String

  /// Kills them, and only them: they wait in runc, hold a fifo below this state directory, and have lost their parent.
  /// - Parameter whileShimsRun: whether a parent may be a shim that still starts its container; without shims, all are
  ///   stranded.
  /// - Returns: the ids of the containers that they were to be.
  func end(whileShimsRun: Bool) -> [String] {
    let fifos = "\(stateDirectory)/runc/"
    var ended: [String] = []
    for name in FileTree.names(in: "/proc") {
      guard let id = pid_t(name), FileTree.readText("/proc/\(name)/comm")?.hasPrefix("runc:[") == true,
        !whileShimsRun || Self.parent(of: name) == 1, let container = Self.container(of: name, fifos: fifos)
      else { continue }
      kill(id, SIGKILL)
      ended.append(container)
    }
    return ended
  }

  /// Field 4 of `/proc/<pid>/stat` (proc(5)); the name before it may hold anything but ends with the last `)`.
  private static func parent(of process: String) -> Int? {
    guard let stat = FileTree.readText("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    return fields.count > 1 ? Int(fields[1]) : nil
  }

  /// The container whose fifo the process holds: `<state>/runc/<namespace>/<container>/exec.fifo`.
  private static func container(of process: String, fifos: String) -> String? {
    for descriptor in FileTree.names(in: "/proc/\(process)/fd") {
      var buffer = [CChar](repeating: 0, count: 4096)
      let length = readlink("/proc/\(process)/fd/\(descriptor)", &buffer, buffer.count)
      guard length > 0 else { continue }
      let target = String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let parts = target.dropFirst(fifos.count).split(separator: "/")
      if target.hasPrefix(fifos), parts.count == 3, parts[2].hasPrefix("exec.fifo") { return String(parts[1]) }
    }
    return nil
  }
}
