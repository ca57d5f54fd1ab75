import BoundedNumbers
import Foundation
import LinuxSystem
import NodeAgent

extension Examination {
  /// What Nagaya needs of the machine.
  func machine() -> [Diagnosis] {
    var found: [Diagnosis] = []
    do {
      found.append(
        Diagnosis(.ok, "machine", "containerd and runc are in \(try Installation.engines(options?.engines))"))
    } catch { found.append(Diagnosis(.error, "machine", "\(error)")) }
    let places = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    for (program, purpose) in [("nft", "keeps pods apart"), ("ip", "links pods"), ("mkfs.xfs", "makes volumes")] {
      let isThere = places.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
      found.append(
        isThere
          ? Diagnosis(.ok, "machine", "\(program) is there")
          : Diagnosis(
            .error, "machine", "\(program), which \(purpose), is not there",
            remedy: "install it: nftables, iproute2, xfsprogs (scripts/install-packages does)"))
    }
    for controller in NodeLimits.missingControllers() {
      found.append(
        Diagnosis(
          .warning, "machine", "the kernel does not limit \(controller) of control groups: pods can take all of it",
          remedy: "mount the controller below /sys/fs/cgroup (kernel option cgroup_enable=\(controller))"))
    }
    return found
  }

  /// Room for what is kept. A node evicts pods when a tenth is left.
  func disk() -> [Diagnosis] {
    var found: [Diagnosis] = []
    for path in [layout.state, layout.run] {
      let place = Self.nearestDirectory(path)
      do throws(SystemError) {
        let usage = try FileSystemUsage(of: place)
        found.append(Self.room("bytes", of: path, free: usage.availableBytes, total: usage.totalBytes))
        // Some file systems make inodes as they need them, and say 0.
        if usage.totalInodes > 0 {
          found.append(Self.room("inodes", of: path, free: usage.freeInodes, total: usage.totalInodes))
        }
      } catch { found.append(Diagnosis(.error, "disk", "\(place) cannot be looked at: \(error)")) }
    }
    return found
  }

  static func room(_ what: String, of path: String, free: Int64, total: Int64) -> Diagnosis {
    let percent = total > 0 ? Int(clamping: Double(max(0, free)) / Double(total) * 100) : 0
    let message = "\(percent) % of the \(what) of the file system of \(path) are free"
    let level: Diagnosis.Level = percent < 3 ? .error : percent < 12 ? .warning : .ok
    return Diagnosis(
      level, "disk", message,
      remedy: level == .ok ? nil : "make room: pods are evicted below 10 %, and nothing can be written at 0")
  }

  private static func nearestDirectory(_ path: String) -> String {
    var url = URL(fileURLWithPath: path)
    while url.path != "/", !FileManager.default.fileExists(atPath: url.path) { url.deleteLastPathComponent() }
    return url.path
  }
}
