import CLinux
import Glibc

/// A directory in which somebody else may write at any moment: what is in it is found from the open directory, once, and
/// is used through what was found (openat2(2), `RESOLVE_BENEATH`).
///
/// Whoever looks a path up a second time may get something else: between the two a directory can have become a symbolic
/// link to anywhere. So nothing here gives a path back; a `RootedFile` is read, or shown at another place, by its
/// descriptor.
public struct RootedDirectory: Sendable {
  /// What symbolic links below the directory do.
  public enum Links: Sendable {
    /// Every one is refused, with `ELOOP`.
    case refused
    /// Those that stay below the directory are followed; others are refused, with `EXDEV`.
    case within
  }

  private let descriptor: SharedDescriptor
  /// As it was opened; for error messages.
  public let path: String

  /// - Parameter path: leads there by directories that nobody else can write; a link at its end is followed.
  /// - Throws: `SystemError`; `ENOTDIR` for what is no directory.
  public init(_ path: String) throws(SystemError) {
    descriptor = try SharedDescriptor(path, .directory)
    self.path = path
  }

  /// Finds a file or directory below this one.
  /// - Throws: `SystemError`: `EXDEV` for a path that leads out, `ELOOP` for a link that is refused.
  public func find(_ relative: String, links: Links = .refused) throws(SystemError) -> RootedFile {
    try Self.open(relative, in: descriptor.number, links, of: "\(path)/\(relative)")
  }

  /// Finds a file or directory below this one; directories that are missing are made, with the permissions of this one.
  /// - Throws: `SystemError`: `ELOOP` for a symbolic link on the way, `ENOTDIR` for a file on the way, `EINVAL` for `..`.
  public func findOrMake(_ relative: String) throws(SystemError) -> RootedFile {
    let name = "\(path)/\(relative)"
    let parts = relative.utf8.split(separator: UInt8(ascii: "/")).compactMap { String($0) }.filter { $0 != "." }
    guard !parts.contains("..") else { throw SystemError("openat2", name, errno: EINVAL) }
    var found = try Self.open(".", in: descriptor.number, .refused, of: name)
    let permissions = found.permissions
    for part in parts {
      do throws(SystemError) { found = try Self.open(part, in: found.number, .refused, of: name) } catch {
        guard error.isNotFound else { throw error }
        found = try Self.make(part, in: found.number, permissions, of: name)
      }
    }
    return found
  }

  private static func make(_ part: String, in parent: Int32, _ permissions: UInt32, of name: String)
    throws(SystemError) -> RootedFile
  {
    if mkdirat(parent, part, mode_t(permissions)) != 0, errno != EEXIST { throw SystemError.last("mkdirat", name) }
    let made = try open(part, in: parent, .refused, of: name)
    // Whatever the umask says; a directory that came instead meanwhile belongs to those who can write here anyway.
    return made.kind == .directory ? try made.settingPermissions(permissions) : made
  }

  private static func open(_ relative: String, in parent: Int32, _ links: Links, of name: String)
    throws(SystemError) -> RootedFile
  {
    // The path only: nothing is read and no device or pipe is touched before it is known what it is.
    let number = try check(
      nagaya_open_beneath(parent, relative, NAGAYA_PATH_ONLY, links == .within ? NAGAYA_LINKS : 0), "openat2", name)
    return try RootedFile(SharedDescriptor(owning: number), path: name)
  }
}

/// A file or directory that was looked up once and is held: it stays the same whatever its path leads to now.
public struct RootedFile: Sendable {
  private let descriptor: SharedDescriptor
  /// Where it was found; for error messages.
  private let path: String
  public let kind: FileStatus.Kind
  /// Permission, set-id and sticky bits.
  public let permissions: UInt32

  /// - Parameter descriptor: may be opened with `O_PATH`.
  fileprivate init(_ descriptor: SharedDescriptor, path: String) throws(SystemError) {
    var status = stat()
    guard fstat(descriptor.number, &status) == 0 else { throw SystemError.last("fstat", path) }
    self.descriptor = descriptor
    self.path = path
    kind = FileStatus.Kind(status.st_mode)
    permissions = UInt32(status.st_mode) & 0o7777
  }

  /// Holds what is at a path whose directories nobody else can write; a link at its end is refused.
  public init(_ path: String) throws(SystemError) {
    let number = Glibc.open(path, NAGAYA_PATH_ONLY | O_NOFOLLOW | O_CLOEXEC)
    guard number >= 0 else { throw SystemError.last("open", path) }
    try self.init(SharedDescriptor(owning: number), path: path)
    guard kind != .symbolicLink else { throw SystemError("open", path, errno: ELOOP) }
  }

  fileprivate var number: Int32 { descriptor.number }
  /// Leads to the very file that is held, whatever its names are.
  private var link: String { "/proc/self/fd/\(descriptor.number)" }

  /// Reads a regular file.
  /// - Parameter limit: bytes; a longer file is refused with `EFBIG`.
  /// - Throws: `SystemError`; `EINVAL` for what is no regular file: a pipe or a device would block or never end.
  public func read(limit: Int) throws(SystemError) -> [UInt8] {
    let bytes = try read(first: limit + 1)
    guard bytes.count <= limit else { throw SystemError("read", path, errno: EFBIG) }
    return bytes
  }

  /// Reads the first bytes of a regular file, at most `count`.
  public func read(first count: Int) throws(SystemError) -> [UInt8] {
    guard kind == .file else { throw SystemError("read", path, errno: EINVAL) }
    do throws(SystemError) { return try OpenFile(link, .read).read(limit: count) } catch {
      throw SystemError(error.call, path, errno: error.errno)
    }
  }

  fileprivate func settingPermissions(_ permissions: UInt32) throws(SystemError) -> RootedFile {
    guard chmod(link, mode_t(permissions)) == 0 else { throw SystemError.last("chmod", path) }
    return try RootedFile(descriptor, path: path)
  }

  /// Shows it at a place that nobody else can write: a directory at a directory, a file at a file.
  public func bind(at target: String) throws(SystemError) {
    let mount = SharedDescriptor(owning: try check(nagaya_clone_mount_of(descriptor.number), "open_tree", path))
    try check(nagaya_move_mount(mount.number, target), "move_mount", target)
  }
}
