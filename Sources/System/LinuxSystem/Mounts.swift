import Glibc

/// Mounting and unmounting in the process's own mount namespace (mount(2), umount(2)).
public enum Mounts {
  /// Mounts a device.
  /// - Parameters:
  ///   - options: mount flags and file system options as in fstab(5): `noatime`, `ro`, `nouuid`.
  public static func mount(_ device: String, at target: String, type: String, options: [String] = [])
    throws(SystemError)
  {
    let (flags, data) = split(options)
    guard Glibc.mount(device, target, type, flags, data) == 0 else { throw SystemError.last("mount", target) }
  }

  /// Shows a directory or file at a second place.
  /// - Parameter readOnly: needs a second call; if it fails the bind mount is taken away again.
  public static func bind(_ source: String, at target: String, readOnly: Bool = false, recursive: Bool = false)
    throws(SystemError)
  {
    let flags = UInt(MS_BIND) | (recursive ? UInt(MS_REC) : 0)
    guard Glibc.mount(source, target, nil, flags, nil) == 0 else { throw SystemError.last("mount(bind)", target) }
    guard readOnly else { return }
    do throws(SystemError) { try remountBind(target, readOnly: true) } catch {
      umount2(target, Int32(MNT_DETACH))
      throw error
    }
  }

  /// Changes a bind mount to read-only or back; other mounts of the same file system are not affected.
  public static func remountBind(_ target: String, readOnly: Bool) throws(SystemError) {
    let flags = UInt(MS_BIND) | UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0)
    guard Glibc.mount(nil, target, nil, flags, nil) == 0 else { throw SystemError.last("mount(remount)", target) }
  }

  /// Takes the topmost mount at `target` away; fine if nothing is mounted there or `target` is missing.
  ///
  /// `EBUSY` counts only when it lasts (`StartingPrograms`).
  /// - Parameter lazily: also when in use; it goes when its last user does.
  public static func unmount(_ target: String, lazily: Bool = false) throws(SystemError) {
    let flags = Int32(UMOUNT_NOFOLLOW) | (lazily ? Int32(MNT_DETACH) : 0)
    var failure: Int32 = 0
    StartingPrograms.outwait {
      failure = umount2(target, flags) == 0 ? 0 : errno
      return failure == EBUSY
    }
    guard failure == 0 || failure == EINVAL || failure == ENOENT else {
      throw SystemError("umount", target, errno: failure)
    }
  }

  /// Takes everything away that is mounted at `target`, one on the other; fine if nothing is or `target` is missing.
  public static func unmountAll(_ target: String) throws(SystemError) {
    repeat { try unmount(target) } while umount2(target, Int32(UMOUNT_NOFOLLOW)) == 0
  }

  /// The mounts of this process's namespace.
  /// - Throws: `SystemError`, or `MountTableError` for a table that cannot be understood.
  public static func table() throws -> MountTable {
    let bytes = try OpenFile("/proc/self/mountinfo", .read).read(limit: MountTable.limit + 1)
    return try MountTable(parsing: bytes)
  }

  /// Words of fstab that are flags of the call; all others are handed to the file system.
  private static let flagWords: [String: UInt] = [
    "ro": UInt(MS_RDONLY), "nosuid": UInt(MS_NOSUID), "nodev": UInt(MS_NODEV), "noexec": UInt(MS_NOEXEC),
    "sync": UInt(MS_SYNCHRONOUS), "dirsync": UInt(MS_DIRSYNC), "noatime": UInt(MS_NOATIME),
    "nodiratime": UInt(MS_NODIRATIME), "relatime": UInt(MS_RELATIME), "strictatime": UInt(MS_STRICTATIME),
    "rw": 0, "defaults": 0, "suid": 0, "dev": 0, "exec": 0, "async": 0, "atime": 0, "diratime": 0,
  ]

  static func split(_ options: [String]) -> (flags: UInt, data: String) {
    var flags: UInt = 0
    var rest: [String] = []
    for option in options where !option.isEmpty {
      if let flag = flagWords[option] { flags |= flag } else { rest.append(option) }
    }
    return (flags, rest.joined(separator: ","))
  }
}
