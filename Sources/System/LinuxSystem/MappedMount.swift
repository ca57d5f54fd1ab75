import CLinux
import Glibc

/// User and group ids as a user namespace maps them, for mounts (mount_setattr(2), "ID-mapped mounts").
public struct IDMap: Sendable {
  private let namespace: SharedDescriptor

  /// - Parameters:
  ///   - users: lines of `/proc/PID/uid_map`: first id inside, first id outside, how many (user_namespaces(7)).
  ///   - groups: the same of `gid_map`.
  /// - Throws: `SystemError` of the kernel, which refuses malformed and overlapping lines.
  public init(users: String, groups: String) throws(SystemError) {
    // A namespace begins with a process, and stays without it while its file is open.
    let process = try check(nagaya_user_namespace_begin(), "clone(CLONE_NEWUSER)", "a user namespace")
    defer { nagaya_user_namespace_end(process) }
    for (name, lines) in [("uid_map", users), ("gid_map", groups)] {
      // In one call and without an offset, which these files refuse.
      let file = try OpenFile("/proc/\(process)/\(name)", .readWrite)
      let bytes = Array(lines.utf8)
      let count = file.withDescriptor { Glibc.write($0, bytes, bytes.count) }
      guard count == bytes.count else { throw SystemError.last("write", file.path) }
    }
    namespace = try SharedDescriptor("/proc/\(process)/ns/user", .read)
  }

  /// Shows a directory at a second place, its files' owners as ids are mapped: an id inside becomes the one outside.
  public func bind(_ source: String, at target: String) throws(SystemError) {
    let mount = SharedDescriptor(owning: try check(nagaya_clone_mount(source), "open_tree", source))
    try check(nagaya_map_mount(mount.number, namespace.number), "mount_setattr(IDMAP)", source)
    try check(nagaya_move_mount(mount.number, target), "move_mount", target)
  }
}
