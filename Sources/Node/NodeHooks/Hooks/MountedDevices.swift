import LinuxSystem

/// Which device is mounted where, as the kernel lists it (proc_pid_mountinfo(5)). No file system is asked: a disk that does not
/// answer holds up no container.
struct MountedDevices {
  /// The table as the kernel wrote it: most of it is looked at by nobody.
  private let table: [UInt8]

  init() { table = (try? SmallFile.read("/proc/self/mountinfo", limit: MountTable.limit)) ?? [] }

  init(table: String) { self.table = Array(table.utf8) }

  /// `8:0`, of what is seen at a mount point. `nil`: nothing is mounted there, or no block device is below, as with tmpfs.
  func device(at path: String) -> String? { mounts { $0.elementsEqual(Self.escaped(path)) }.last?.device }

  /// Whether something is mounted there.
  func isMounted(_ path: String) -> Bool { !mounts { $0.elementsEqual(Self.escaped(path)) }.isEmpty }

  /// Names below a directory on each of which a device is mounted: `<directory>/<name>/mount`.
  func names(in directory: String, on device: String) -> [String] {
    let (before, after) = (Self.escaped(directory + "/"), Array("/mount".utf8))
    return mounts { path in
      path.count > before.count + after.count && path.starts(with: before)
        && path.suffix(after.count).elementsEqual(after)
    }.filter { $0.device == device }.map { mount in
      String(decoding: mount.path.dropFirst(before.count).dropLast(after.count), as: UTF8.self)
    }.filter { !$0.contains("/") }
  }

  private func mounts(where isWanted: (ArraySlice<UInt8>) -> Bool) -> [(path: ArraySlice<UInt8>, device: String?)] {
    var found: [(path: ArraySlice<UInt8>, device: String?)] = []
    for line in table.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: false)
      guard fields.count > 5, isWanted(fields[4]) else { continue }
      let device = String(decoding: fields[2], as: UTF8.self)
      found.append((fields[4], device.hasPrefix("0:") ? nil : device))
    }
    return found
  }

  /// As the kernel writes names: blanks, line ends and backslashes by their numbers.
  private static func escaped(_ path: String) -> [UInt8] {
    path.utf8.flatMap { byte -> [UInt8] in
      switch byte {
      case UInt8(ascii: " "): Array("\\040".utf8)
      case UInt8(ascii: "\t"): Array("\\011".utf8)
      case UInt8(ascii: "\n"): Array("\\012".utf8)
      case UInt8(ascii: "\\"): Array("\\134".utf8)
      default: [byte]
      }
    }
  }
}
