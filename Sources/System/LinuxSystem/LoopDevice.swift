import CLinux
import Glibc

/// A loop device: a block device whose bytes are a file's (loop(4)).
public struct LoopDevice: Sendable, Hashable {
  public let number: Int
  public var path: String { "/dev/loop\(number)" }

  public init(number: Int) { self.number = number }

  /// How bytes travel between device and file.
  public enum Caching: Sendable, Hashable {
    /// Around the page cache of the file's file system; refused by some file systems.
    case direct
    /// Through the page cache: everything is cached twice.
    case buffered
  }

  /// Shows a file as a block device, in one call (`LOOP_CONFIGURE`, Linux 5.8): it is never seen half made.
  /// Prefers direct I/O and falls back where the file system below refuses it.
  public static func attach(_ file: String, readOnly: Bool = false, caching: Caching = .direct, sectorSize: Int = 512)
    throws(SystemError) -> LoopDevice
  {
    let control = try OpenFile("/dev/loop-control", .readWrite)
    let backing = try OpenFile(file, readOnly ? .read : .readWrite)
    // Between asking for a free number and taking it another process may be faster: bounded retries.
    for _ in 0..<256 {
      let number = Int(
        try check(control.withDescriptor { nagaya_loop_get_free($0) }, "ioctl(LOOP_CTL_GET_FREE)", control.path))
      let device = LoopDevice(number: number)
      try device.makeNodeIfMissing()
      let answer: Int32
      do throws(SystemError) {
        let loop = try OpenFile(device.path, .readWrite)
        answer = loop.withDescriptor { loop in
          backing.withDescriptor { backing in
            nagaya_loop_configure(
              loop, backing, file, caching == .direct ? 1 : 0, readOnly ? 1 : 0, UInt32(sectorSize))
          }
        }
      } catch {
        if error.errno == EBUSY || error.errno == ENXIO { continue }
        throw error
      }
      switch answer {
      case 0...: return device
      case -EBUSY: continue
      case -EINVAL where caching == .direct:
        return try attach(file, readOnly: readOnly, caching: .buffered, sectorSize: sectorSize)
      default: throw SystemError("ioctl(LOOP_CONFIGURE)", file, errno: -answer)
      }
    }
    throw SystemError("ioctl(LOOP_CONFIGURE)", file, errno: EBUSY)
  }

  /// The devices that show `file`, also if it has been removed meanwhile.
  ///
  /// Devices are the whole machine's, and a path means another file in another root or mount namespace; the kernel shows a path as it
  /// was there, or what is left of it. So a file that is there is found by itself, and only one that was removed by its path.
  /// - Parameter file: the path without symbolic links, as the kernel knows it.
  public static func attached(to file: String) throws(SystemError) -> [LoopDevice] {
    if let status = try FileStatus(of: file) {
      let identity = FileIdentity(device: status.device, inode: status.inode)
      var found: [LoopDevice] = []
      for (device, path) in try all() where name(of: path) == name(of: file) {
        if try device.backing() == identity { found.append(device) }
      }
      return found
    }
    var found: [LoopDevice] = []
    for (device, path) in try all() where path == file {
      if try device.lost(from: place(of: file)) { found.append(device) }
    }
    return found
  }

  /// The devices that show files in `directory`, at any depth as far as the kernel shows their paths, and the paths.
  /// - Parameter directory: its path without symbolic links, as the kernel knows it.
  public static func below(_ directory: String) throws(SystemError) -> [(device: LoopDevice, file: String)] {
    var own: [FileIdentity: String] = [:]
    for name in Directory.namesIfReadable(in: directory) {
      let path = "\(directory)/\(name)"
      guard let status = try FileStatus(of: path), status.kind == .file else { continue }
      own[FileIdentity(device: status.device, inode: status.inode)] = path
    }
    let names = Set(own.values.map { name(of: $0) })
    var found: [(LoopDevice, String)] = []
    for (device, shown) in try all() where names.contains(name(of: shown)) || shown.hasPrefix("\(directory)/") {
      guard let backing = try device.backing() else { continue }
      if let path = own[backing] {
        found.append((device, path))
      } else if shown.hasPrefix("\(directory)/") {
        if let status = try FileStatus(of: shown) {
          if FileIdentity(device: status.device, inode: status.inode) == backing { found.append((device, shown)) }
        } else if try device.lost(from: place(of: shown)) {
          found.append((device, shown))
        }
      }
    }
    return found
  }

  /// The last part of a path, which stays whatever the kernel can still show of the rest. Devices of other names are not even
  /// opened: one that is open does not go when its owner lets it go.
  private static func name(of file: String) -> Substring {
    file.lastIndex(of: "/").map { file[file.index(after: $0)...] } ?? file[...]
  }

  private static func place(of file: String) -> String {
    let place = file.lastIndex(of: "/").map { file[..<$0] } ?? ""
    return place.isEmpty ? "/" : String(place)
  }

  /// Whether the file was removed, from the file system that the directory is on, or from a directory that is gone, too.
  private func lost(from directory: String) throws(SystemError) -> Bool {
    guard isFileRemoved, let backing = try backing() else { return false }
    guard let status = try FileStatus(of: directory) else { return true }
    return status.device == backing.device
  }

  /// Which file is behind the device; `nil` if it is not in use.
  public func backing() throws(SystemError) -> FileIdentity? {
    try makeNodeIfMissing()
    var (device, inode): (UInt64, UInt64) = (0, 0)
    let answer: Int32
    do throws(SystemError) {
      answer = try OpenFile(path, .read).withDescriptor { nagaya_loop_backing($0, &device, &inode) }
    } catch {
      if error.errno == ENXIO || error.errno == ENODEV { return nil }
      throw error
    }
    if answer == -ENXIO { return nil }
    try check(answer, "ioctl(LOOP_GET_STATUS64)", path)
    return FileIdentity(device: device, inode: inode)
  }

  /// Every device in use on this machine with the path of its file; the kernel's mark of removed files is taken off.
  public static func all() throws(SystemError) -> [(device: LoopDevice, file: String)] {
    var found: [(LoopDevice, String)] = []
    for name in try Directory.names(in: "/sys/block") where name.hasPrefix("loop") {
      guard let number = Int(name.dropFirst(4)) else { continue }
      let device = LoopDevice(number: number)
      if let file = device.backingFile { found.append((device, file)) }
    }
    return found
  }

  /// The file behind the device; `nil` if the device is not in use.
  public var backingFile: String? {
    guard var text = backingText else { return nil }
    if text.hasSuffix(Self.removedMark) { text.removeLast(Self.removedMark.count) }
    return text.isEmpty ? nil : text
  }

  private static let removedMark = " (deleted)"
  private var isFileRemoved: Bool { backingText?.hasSuffix(Self.removedMark) ?? false }

  private var backingText: String? {
    // Gone between two looks is the same as never there.
    guard let bytes = try? DurableFile.read("/sys/block/loop\(number)/loop/backing_file", limit: 64 << 10) else {
      return nil
    }
    var text = String(decoding: bytes, as: UTF8.self)
    while text.last == "\n" { text.removeLast() }
    return text
  }

  public var usesDirectIO: Bool {
    (try? DurableFile.read("/sys/block/loop\(number)/loop/dio", limit: 64))?.first == UInt8(ascii: "1")
  }

  /// Bytes.
  public func size() throws(SystemError) -> Int64 {
    let device = try OpenFile(path, .read)
    var bytes: UInt64 = 0
    try check(device.withDescriptor { nagaya_block_size($0, &bytes) }, "ioctl(BLKGETSIZE64)", path)
    return Int64(clamping: bytes)
  }

  /// Takes over a new size of the file.
  public func refreshSize() throws(SystemError) {
    let device = try OpenFile(path, .readWrite)
    try check(device.withDescriptor { nagaya_loop_set_capacity($0) }, "ioctl(LOOP_SET_CAPACITY)", path)
  }

  /// Lets the file go; fine if that has been done. A device that is still mounted or open goes with its last user;
  /// one that a starting program holds (`StartingPrograms`) is waited for.
  public func detach() throws(SystemError) {
    let file = backingFile
    let answer: Int32
    do throws(SystemError) { answer = try OpenFile(path, .read).withDescriptor { nagaya_loop_clear($0) } } catch {
      if error.isNotFound || error.errno == ENXIO { return }
      throw error
    }
    guard answer >= 0 || answer == -ENXIO else { throw SystemError("ioctl(LOOP_CLR_FD)", path, errno: -answer) }
    StartingPrograms.outwait { file != nil && backingFile == file }
  }

  /// Where nobody keeps /dev up to date (containers) the node of a fresh number is made here.
  private func makeNodeIfMissing() throws(SystemError) {
    guard try FileStatus(of: path) == nil else { return }
    let major: UInt64 = 7
    let minor = UInt64(number)
    let device = (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
    guard mknod(path, S_IFBLK | 0o660, dev_t(device)) == 0 || errno == EEXIST else {
      throw SystemError.last("mknod", path)
    }
  }

  /// Device numbers as in mountinfo.
  public static let major: UInt32 = 7
  public var minor: UInt32 { UInt32(number) }
}
