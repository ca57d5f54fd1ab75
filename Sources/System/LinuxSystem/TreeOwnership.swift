import Glibc

extension Directory {
  /// Gives a tree that somebody else fills to a group: its files become the group's, which may read and write them, and what is
  /// made in its directories later belongs to it, too (Kubernetes, `fsGroup`).
  ///
  /// Links are not followed, what is mounted below is left alone. It may be called again after it was cut off.
  /// - Parameter isSkippedWhereRootFits: nothing is done if the root is as it would become (`OnRootMismatch`). The root is
  ///   changed last, so that a tree that was left half done does not pass for a finished one.
  /// - Returns: whether anything was looked at below the root.
  @discardableResult
  public static func give(_ path: String, toGroup group: UInt32, isSkippedWhereRootFits: Bool) throws(SystemError)
    -> Bool
  {
    var walk = try TreeWalk(path)
    var root: stat?
    while let step = try walk.next() {
      guard case .entry(let name, let status) = step else { continue }
      guard let name else {
        if isSkippedWhereRootFits, status.st_gid == group, mode(of: status) == status.st_mode & 0o7777 { return false }
        root = status
        continue
      }
      guard fchownat(walk.directory, name, uid_t.max, group, AT_SYMLINK_NOFOLLOW) == 0 else {
        // Gone, or not to be changed at all (chattr +i).
        if errno == ENOENT || errno == EPERM { continue }
        throw SystemError.last("chown", walk.path(name))
      }
      // Links have no mode of their own.
      guard status.st_mode & S_IFMT != S_IFLNK else { continue }
      // Not as it was looked at: by its name, and never through a link that took its place.
      guard fchmodat(walk.directory, name, mode(of: status), AT_SYMLINK_NOFOLLOW) == 0 else {
        if errno == ENOENT || errno == EOPNOTSUPP || errno == EPERM { continue }
        throw SystemError.last("chmod", walk.path(name))
      }
    }
    if let root {
      guard fchown(walk.directory, uid_t.max, group) == 0 else { throw SystemError.last("chown", path) }
      guard fchmod(walk.directory, mode(of: root)) == 0 else { throw SystemError.last("chmod", path) }
    }
    return true
  }

  /// What the mode becomes, set-user-ID and the like included, which a change of owner takes away.
  private static func mode(of status: stat) -> mode_t {
    let extra: mode_t = status.st_mode & S_IFMT == S_IFDIR ? 0o2770 : 0o660
    return status.st_mode & 0o7777 | extra
  }
}
