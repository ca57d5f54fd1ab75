import Glibc
import LinuxSystem

/// Directories of snapshots: `NUMBER/fs` holds the files (of a lazily loaded layer: a link to where it is mounted),
/// `NUMBER/a` stands above them with attributes of directories, `NUMBER/work` belongs to overlayfs, `NUMBER/l0`, `l1`, … are what is below it with
/// mapped ids. Numbers are never used twice, so whatever has no record is rubbish.
struct SnapshotDirectories: Sendable {
  /// Owner and permissions of a root directory.
  struct RootAttributes: Sendable, Hashable {
    var user: UInt32 = 0
    var group: UInt32 = 0
    var permissions: UInt32 = 0o755
  }

  let path: String

  func files(_ id: Int64) -> String { "\(path)/\(id)/fs" }
  func work(_ id: Int64) -> String { "\(path)/\(id)/work" }

  /// Numbers that have a directory, and names that are none of ours.
  func present() throws(SystemError) -> (numbers: Set<Int64>, strangers: [String]) {
    var numbers: Set<Int64> = []
    var strangers: [String] = []
    for name in try Directory.names(in: path) {
      if let number = Int64(name), number > 0 { numbers.insert(number) } else { strangers.append(name) }
    }
    return (numbers, strangers)
  }

  func isPresent(_ id: Int64) -> Bool { FileStatus.exists(files(id)) }

  /// - Parameter writable: whether overlayfs needs its own directory.
  func make(_ id: Int64, root: RootAttributes, writable: Bool) throws(SystemError) {
    try Directory.make("\(path)/\(id)", permissions: 0o700)
    let files = files(id)
    try Directory.make(files)
    // Also where they are as wanted: mkdir is subject to the process's umask.
    guard lchown(files, root.user, root.group) == 0 else { throw SystemError.last("chown", files) }
    guard chmod(files, mode_t(root.permissions)) == 0 else { throw SystemError.last("chmod", files) }
    if writable { try Directory.make(work(id), permissions: 0o711) }
    // What mounts the files need not be root of this user namespace; nobody else gets past the directory above.
    guard chmod("\(path)/\(id)", 0o700) == 0 else { throw SystemError.last("chmod", "\(path)/\(id)") }
  }

  /// Makes a snapshot's files be those of a mounted layer. The old link, if any, is replaced at once.
  func link(_ id: Int64, to directory: String) throws(SystemError) {
    let files = files(id)
    if linkTarget(files) == directory { return }
    try Directory.make("\(path)/\(id)", permissions: 0o700)
    // Several may do so at once, for containers of one image that start together.
    let new = "\(files).\(UInt64.random(in: 0 ... .max))"
    guard symlink(directory, new) == 0 else { throw SystemError.last("symlink", new) }
    guard rename(new, files) == 0 else {
      let error = SystemError.last("rename", files)
      unlink(new)
      throw error
    }
  }

  /// Shows the directories below a snapshot with mapped ids, in its own directory; what is there already stays.
  /// - Parameter lowers: topmost first.
  /// - Returns: where, in the same order.
  func map(_ id: Int64, _ lowers: [String], _ mappings: IDMappings) throws(SystemError) -> [String] {
    var map: IDMap?
    var targets: [String] = []
    for (index, lower) in lowers.enumerated() {
      let target = "\(path)/\(id)/l\(index)"
      targets.append(target)
      // Followed: a layer's directory may be named by its link.
      let source = try Directory.canonicalPath(lower)
      let (present, wanted) = (try FileStatus(of: target), try FileStatus(of: source))
      if let present, present.inode == wanted?.inode, present.device == wanted?.device { continue }
      if map == nil { map = try IDMap(users: mappings.users.lines, groups: mappings.groups.lines) }
      try Mounts.unmount(target, lazily: true)
      try Directory.make(target, permissions: 0o700)
      try map?.bind(source, at: target)
    }
    return targets
  }

  private func linkTarget(_ link: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      let count = readlink(link, base, buffer.count)
      return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  /// Of a snapshot's own root directory, which may be that of a mounted layer.
  func rootAttributes(_ id: Int64) throws(SystemError) -> RootAttributes {
    var status = stat()
    guard stat(files(id), &status) == 0 else { throw SystemError.last("stat", files(id)) }
    return RootAttributes(user: status.st_uid, group: status.st_gid, permissions: status.st_mode & 0o7777)
  }

  func usage(_ id: Int64) throws(SystemError) -> LayerUsage {
    let usage = try Directory.usage(of: files(id))
    return LayerUsage(bytes: usage.bytes, inodes: usage.inodes)
  }

  /// Fine if it is gone already.
  func remove(_ id: Int64) throws(SystemError) {
    for name in try Directory.names(in: "\(path)/\(id)") where name.hasPrefix("l") {
      try Mounts.unmount("\(path)/\(id)/\(name)", lazily: true)
    }
    try Directory.removeTree("\(path)/\(id)")
  }
  func remove(stranger name: String) throws(SystemError) { try Directory.removeTree("\(path)/\(name)") }
}
