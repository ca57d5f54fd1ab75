/// One line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
public struct MountEntry: Sendable, Hashable {
  public let mountID: Int
  public let parentID: Int
  /// Of the file system's device.
  public let major: UInt32
  public let minor: UInt32
  /// The directory (or file) of the file system that is shown at the mount point.
  public let root: String
  public let mountPoint: String
  /// Per mount: `rw`, `nosuid`, `relatime`, …
  public let options: [String]
  public let fileSystemType: String
  /// The device or another word of the file system; `none` often.
  public let source: String
  /// Per file system.
  public let superOptions: [String]

  public var isReadOnly: Bool { options.contains("ro") }

  /// Whether a file or directory of the file system of `/dev` is shown: a device's node, bound to a file. Other file systems have
  /// directories of any name, `/loop7` too.
  public func isOfDevices() throws(SystemError) -> Bool {
    guard root != "/", let devices = try FileStatus(of: "/dev") else { return false }
    let number = DeviceNumber(devices.device)
    return major == number.major && minor == number.minor
  }
}

/// Bytes of mountinfo that are not what proc_pid_mountinfo(5) says.
public struct MountTableError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case tooLarge(limit: Int)
    case malformed
  }
  public let reason: Reason
  /// From 1.
  public let line: Int

  public var description: String {
    switch reason {
    case .tooLarge(let limit): "mount table larger than \(limit) bytes"
    case .malformed: "line \(line) of the mount table is malformed"
    }
  }
}

/// The mounts of a mount namespace, oldest first, as the kernel lists them.
public struct MountTable: Sendable {
  public let entries: [MountEntry]

  /// Bytes of a table that are read at most: some 300,000 mounts.
  public static let limit = 64 << 20

  public init(parsing bytes: [UInt8]) throws(MountTableError) {
    guard bytes.count <= Self.limit else { throw MountTableError(reason: .tooLarge(limit: Self.limit), line: 0) }
    var entries: [MountEntry] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      number += 1
      guard let entry = MountEntry(line: line) else { throw MountTableError(reason: .malformed, line: number) }
      entries.append(entry)
    }
    self.entries = entries
  }

  /// What is mounted at `path`: the topmost mount, which is the one that is seen.
  public func top(at path: String) -> MountEntry? { entries.last { $0.mountPoint == path } }

  /// Every mount of the block device, staged or bound, wherever it is.
  public func mounts(ofDevice major: UInt32, _ minor: UInt32) -> [MountEntry] {
    entries.filter { $0.major == major && $0.minor == minor }
  }

  /// Mounts at or below a directory, innermost first: the order in which they can be unmounted.
  public func mounts(under directory: String) -> [MountEntry] {
    entries.filter { $0.mountPoint == directory || $0.mountPoint.hasPrefix(directory + "/") }.reversed()
  }
}

extension MountEntry {
  /// Parses `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
  init?(line: ArraySlice<UInt8>) {
    let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count >= 10, let separator = fields[6...].firstIndex(where: { $0.elementsEqual([UInt8(ascii: "-")]) }),
      fields.count >= separator + 4,
      let mountID = Self.number(fields[0]), let parentID = Self.number(fields[1])
    else { return nil }
    let device = fields[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard device.count == 2, let major = Self.number(device[0]), let minor = Self.number(device[1]),
      let major = UInt32(exactly: major), let minor = UInt32(exactly: minor)
    else { return nil }
    self.mountID = mountID
    self.parentID = parentID
    self.major = major
    self.minor = minor
    root = Self.unescape(fields[3])
    mountPoint = Self.unescape(fields[4])
    options = Self.list(fields[5])
    fileSystemType = Self.unescape(fields[separator + 1])
    source = Self.unescape(fields[separator + 2])
    superOptions = Self.list(fields[separator + 3])
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 18, bytes.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return bytes.reduce(0) { $0 * 10 + Int($1 - 48) }
  }

  private static func list(_ bytes: ArraySlice<UInt8>) -> [String] {
    bytes.split(separator: UInt8(ascii: ",")).map { unescape($0) }
  }

  /// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
  private static func unescape(_ bytes: ArraySlice<UInt8>) -> String {
    guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
    var result: [UInt8] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.endIndex,
        bytes[(index + 1)...(index + 3)].allSatisfy({ (48...55).contains($0) }), bytes[index + 1] <= 51
      {
        result.append((bytes[index + 1] - 48) << 6 | (bytes[index + 2] - 48) << 3 | (bytes[index + 3] - 48))
        index += 4
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
