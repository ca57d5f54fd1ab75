import CLinux
import Glibc

/// Mounts of what is only to be read: no devices, no programs, no set-uid, nothing written.
public enum DataMount {
  /// Shows a directory at a second place.
  public static func bind(_ source: String, at target: String) throws(SystemError) {
    let mount = SharedDescriptor(owning: try check(nagaya_clone_mount(source), "open_tree", source))
    try check(nagaya_seal_mount(mount.number), "mount_setattr", source)
    try check(nagaya_move_mount(mount.number, target), "move_mount", target)
  }

  /// Mounts a file system that consists of directories, as snapshotters describe it: an overlay, with any number of layers.
  /// - Parameter options: as in fstab(5), one word each. mount(2) takes one page of them; what is more goes to fsconfig(2) one by
  ///   one, for which overlayfs needs Linux 6.8.
  public static func mount(_ source: String, at target: String, type: String, options: [String]) throws(SystemError) {
    let sealing: Set = ["ro", "rw", "nosuid", "nodev", "noexec"]
    let options = options.filter { !sealing.contains($0) }
    let room = 4096
    guard options.reduce(0, { $0 + $1.utf8.count + 1 }) >= room else {
      return try Mounts.mount(source, at: target, type: type, options: options + ["ro", "nosuid", "nodev", "noexec"])
    }
    let context = SharedDescriptor(owning: try check(nagaya_fs_open(type), "fsopen(\(type))", target))
    func set(_ key: String, _ value: String?) throws(SystemError) {
      try check(nagaya_fs_set(context.number, key, value), "fsconfig(\(key))", value ?? target)
    }
    try set("source", source)
    try set("ro", nil)
    for option in options {
      let words = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if words[0] == "lowerdir", words.count == 2 {
        for (key, directory) in lowerDirectories(words[1]) { try set(key, directory) }
      } else {
        try set(words[0], words.count == 2 ? words[1] : nil)
      }
    }
    try check(nagaya_fs_create(context.number), "fsconfig(create)", target)
    let mount = SharedDescriptor(owning: try check(nagaya_fs_mount_data(context.number), "fsmount", target))
    try check(nagaya_move_mount(mount.number, target), "move_mount", target)
  }

  /// Takes overlayfs' list apart: `:` between directories, `::` in front of those that only hold data, `\` before what is meant
  /// literally.
  static func lowerDirectories(_ list: String) -> [(key: String, directory: String)] {
    var found: [(String, String)] = []
    var (directory, isLiteral, separators, holdsData) = ([UInt8](), false, 0, false)
    func end() {
      guard !directory.isEmpty else { return }
      found.append((holdsData ? "datadir+" : "lowerdir+", String(decoding: directory, as: UTF8.self)))
      directory = []
    }
    for byte in list.utf8 {
      switch byte {
      case UInt8(ascii: ":") where !isLiteral:
        end()
        separators += 1
        if separators == 2 { holdsData = true }
      case UInt8(ascii: "\\") where !isLiteral: isLiteral = true
      default:
        separators = 0
        directory.append(byte)
        isLiteral = false
      }
    }
    end()
    return found
  }
}
