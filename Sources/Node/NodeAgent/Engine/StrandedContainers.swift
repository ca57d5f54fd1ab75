import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Container processes that were cut off before they began.
///
/// When a client of containerd dies in the middle of a start, containerd gives that start up. What runc had forked by then
/// (`runc init`, waiting at its fifo for the word to go on) waits for ever, its mount namespace holds the pod's volumes,
/// and containerd refuses to remove a container that it takes for one that is just starting.
struct StrandedContainers {
  /// containerd's state directory; runc keeps its fifos below it.
  let stateDirectory: String

  /// Processes that wait in runc at a fifo below this state directory, with the containers that they are to be.
  ///
  /// In a start that goes well a process waits for milliseconds: one that is found again seconds later is stranded.
  func waiting() -> [pid_t: String] {
    let fifos = "\(stateDirectory)/runc/"
    var found: [pid_t: String] = [:]
    for name in Directory.namesIfReadable(in: "/proc") {
      guard let id = pid_t(name), SmallFile.text("/proc/\(name)/comm")?.hasPrefix("runc:[") == true else { continue }
      found[id] = Self.container(of: name, fifos: fifos)
    }
    return found
  }

  /// The container whose fifo the process holds: `<state>/runc/<namespace>/<container>/exec.fifo`.
  private static func container(of process: String, fifos: String) -> String? {
    for descriptor in Directory.namesIfReadable(in: "/proc/\(process)/fd") {
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
