import LinuxSystem

/// Whether this machine runs out of memory or disk (`MemoryPressure` and `DiskPressure` of the Node object).
struct NodePressure: Hashable, Sendable {
  /// What is lacking; `nil`: enough.
  var memory: String?
  var disk: String?

  /// What the machine has left.
  struct Reading: Hashable, Sendable {
    var availableMemoryBytes: Int64
    var availableDiskBytes: Int64
    var diskBytes: Int64
    var freeInodes: Int64
    /// 0: the file system does not count them.
    var inodes: Int64
  }

  /// The kubelet's default thresholds for hard eviction.
  static let leastMemoryBytes: Int64 = 100 << 20
  static let leastDiskShare = 0.10
  static let leastInodeShare = 0.05
  /// A pressure ends only when there is this much more than its threshold, so that it does not come and go.
  static let margin = 1.2

  /// - Returns: `nil` if the machine can't be asked.
  static func read(directory: String) -> Reading? {
    let memory = (SmallFile.text("/proc/meminfo") ?? "").split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    guard let kibibytes = memory?.split(separator: " ").dropFirst().first.flatMap({ Int64($0) }),
      let usage = try? FileSystemUsage(of: directory)
    else { return nil }
    return Reading(
      availableMemoryBytes: kibibytes << 10, availableDiskBytes: usage.availableBytes, diskBytes: usage.totalBytes,
      freeInodes: usage.freeInodes, inodes: usage.totalInodes)
  }

  /// What follows on this from a new reading.
  func following(_ reading: Reading) -> NodePressure {
    func lacks(_ left: Int64, _ least: Double, _ wasLacking: Bool) -> Bool {
      Double(left) < least * (wasLacking ? Self.margin : 1)
    }
    var next = NodePressure()
    if lacks(reading.availableMemoryBytes, Double(Self.leastMemoryBytes), memory != nil) {
      next.memory = "less than \(Self.leastMemoryBytes >> 20) MiB of memory are available"
    }
    if lacks(reading.availableDiskBytes, Double(reading.diskBytes) * Self.leastDiskShare, disk != nil) {
      next.disk = "less than \(Int(Self.leastDiskShare * 100)) % of the node's disk are free"
    } else if reading.inodes > 0,
      lacks(reading.freeInodes, Double(reading.inodes) * Self.leastInodeShare, disk != nil)
    {
      next.disk = "less than \(Int(Self.leastInodeShare * 100)) % of the disk's inodes are free"
    }
    return next
  }
}
