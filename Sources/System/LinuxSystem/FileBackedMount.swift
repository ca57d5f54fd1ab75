import CLinux
import Glibc
import Locking

/// File systems whose devices are plain files, without a loop device: EROFS (Linux 6.12).
public enum FileBackedMount {
  /// Mounts an EROFS image read-only (fsopen(2); as many devices as there are, which mount(2) with its one page of
  /// options cannot take).
  /// - Parameters:
  ///   - metadata: the image.
  ///   - devices: the files with the content, in the order of their numbers in the image.
  ///   - readAheadBytes: how much is read at once when a file is read in order; `nil`: what the kernel does (128 KiB).
  /// - Returns: the kernel's name of the file system (`erofs-12`), for `exists`; `nil` if it could not be told.
  @discardableResult
  public static func mount(metadata: String, devices: [String], at target: String, readAheadBytes: Int? = nil)
    throws(SystemError) -> String?
  {
    let context = SharedDescriptor(owning: try check(nagaya_fs_open("erofs"), "fsopen(erofs)", metadata))
    func set(_ key: String, _ value: String?) throws(SystemError) {
      try check(nagaya_fs_set(context.number, key, value), "fsconfig(\(key))", value ?? metadata)
    }
    try set("source", metadata)
    try set("ro", nil)
    for device in devices { try set("device", device) }
    let name = try named(readAheadBytes: readAheadBytes) { () throws(SystemError) in
      try check(nagaya_fs_create(context.number), "fsconfig(create)", metadata)
    }
    let mount = SharedDescriptor(owning: try check(nagaya_fs_mount(context.number), "fsmount", metadata))
    try check(nagaya_move_mount(mount.number, target), "move_mount", target)
    return name
  }

  /// Finds out the name of the file system that `body` makes, and sets how far it reads ahead.
  static func named(readAheadBytes: Int?, _ body: () throws(SystemError) -> Void) throws(SystemError) -> String? {
    let new = try turn.withLock { _ throws(SystemError) in
      let before = Set(names())
      try body()
      return names().filter { !before.contains($0) }
    }
    // Another process may have mounted one in the same moment; then neither is touched.
    let name = new.count == 1 ? new[0] : nil
    if let name, let readAheadBytes {
      try? KernelSetting.write("\(readAheadBytes >> 10)", to: "\(directory)/\(name)/read_ahead_kb")
    }
    return name
  }

  /// Whether a file system is still in use anywhere: below overlays and in other mount namespaces, too.
  public static func exists(_ name: String) -> Bool { FileStatus.exists("\(directory)/\(name)") }

  /// One mount of this process at a time.
  private static let turn = Mutex(())

  private static let directory = "/sys/class/bdi"
  private static func names() -> [String] {
    Directory.namesIfReadable(in: directory).filter { $0.hasPrefix("erofs-") }
  }
}
