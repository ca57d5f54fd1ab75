import CLinux
import Glibc

/// The space of a directory tree.
public struct TreeUsage: Sendable, Hashable {
  /// Allocated, in bytes.
  public var bytes: Int64
  public var inodes: Int
}

extension Directory {
  /// Space of a tree, its root included; files with several links are counted once, what is mounted in it is not.
  public static func usage(of path: String) throws(SystemError) -> TreeUsage {
    var usage = TreeUsage(bytes: 0, inodes: 0)
    var linked: Set<FileIdentity> = []
    func count(_ status: stat) {
      if status.st_nlink > 1, status.st_mode & S_IFMT != S_IFDIR, !linked.insert(FileIdentity(status)).inserted {
        return
      }
      usage.bytes += Int64(status.st_blocks) * 512
      usage.inodes += 1
    }
    var walk = try TreeWalk(path)
    while let step = try walk.next() {
      switch step {
      case .entry(_, let status): count(status)
      case .mountPoint, .left: break
      }
    }
    return usage
  }

  /// Removes a file or a whole tree of any depth, whatever its names are; fine if it is gone already.
  ///
  /// Never enters what is mounted below, bind mounts of the same file system included: it keeps its files, and the removal
  /// fails with `EBUSY` when everything else has been removed.
  public static func removeTree(_ path: String) throws(SystemError) {
    if unlink(path) == 0 || errno == ENOENT { return }
    // Of a directory Linux says EISDIR; of what else can't be removed, what it is.
    guard errno == EISDIR || errno == EPERM, try FileStatus(of: path)?.kind == .directory else {
      throw SystemError.last("unlink", path)
    }
    var failure: SystemError?
    var walk = try TreeWalk(path)
    while let step = try walk.next() {
      switch step {
      case .entry(let name, let status):
        guard let name, status.st_mode & S_IFMT != S_IFDIR else { continue }
        if unlinkat(walk.directory, name, 0) != 0, errno != ENOENT {
          failure = failure ?? SystemError.last("unlink", walk.path(name))
        }
      case .mountPoint(let name):
        failure = failure ?? SystemError("rmdir", walk.path(name), errno: EBUSY)
      case .left(let name):
        if unlinkat(walk.directory, name, AT_REMOVEDIR) != 0, errno != ENOENT {
          failure = failure ?? SystemError.last("rmdir", walk.path(name))
        }
      }
    }
    if let failure { throw failure }
    guard rmdir(path) == 0 || errno == ENOENT else { throw SystemError.last("rmdir", path) }
  }
}

extension FileIdentity {
  fileprivate init(_ status: stat) { self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) }
}

/// Goes through a directory tree that somebody else filled: of any depth, without following links, with a handful of
/// open files.
struct TreeWalk: ~Copyable {
  /// A name as the file system has it, ended by zero: programs need not write UTF-8.
  typealias Name = [CChar]

  enum Step {
    /// The root (without a name), or something in `directory`.
    case entry(Name?, stat)
    /// A directory in `directory` where something is mounted; it is not entered.
    case mountPoint(Name)
    /// Everything below this directory in `directory` was visited.
    case left(Name)
  }

  /// What is left of a directory on the way.
  private struct Level {
    let name: Name
    let identity: FileIdentity
    /// What is in it and was not visited yet.
    var names: [Name]
    /// Directories in it that are still to be entered.
    var directories: [Name] = []
  }

  /// Where the walk is.
  private(set) var directory: Int32
  private let root: String
  private let device: dev_t
  private var levels: [Level] = []
  private var first: stat?

  init(_ path: String) throws(SystemError) {
    root = path
    directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { throw SystemError.last("open", path) }
    var status = stat()
    guard fstat(directory, &status) == 0 else {
      let failure = SystemError.last("fstat", path)
      close(directory)
      throw failure
    }
    device = status.st_dev
    first = status
  }

  deinit { close(directory) }

  /// The full path of a name in `directory`, as far as it is text.
  func path(_ name: Name) -> String {
    ([root] + (levels.dropFirst().map(\.name) + [name]).map(Self.text)).joined(separator: "/")
  }

  mutating func next() throws(SystemError) -> Step? {
    if let status = first {
      first = nil
      levels.append(try level([0]))
      return .entry(nil, status)
    }
    var status = stat()
    while let last = levels.indices.last {
      if let name = levels[last].names.popLast() {
        guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }  // gone in between
        if status.st_mode & S_IFMT == S_IFDIR {
          guard status.st_dev == device else { return .mountPoint(name) }
          levels[last].directories.append(name)
        }
        return .entry(name, status)
      }
      if let name = levels[last].directories.popLast() {
        let next = nagaya_open_beneath(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NAGAYA_ONE_MOUNT)
        guard next >= 0 else {
          if -next == ENOENT || -next == ENOTDIR || -next == ELOOP { continue }  // it was changed in between
          // A directory of the same file system that is shown here: its files are somebody else's.
          if -next == EXDEV { return .mountPoint(name) }
          throw SystemError("open", path(name), errno: -next)
        }
        guard fstat(next, &status) == 0, status.st_dev == device else {
          close(next)
          return .mountPoint(name)
        }
        close(directory)
        directory = next
        levels.append(try level(name))
        continue
      }
      guard let done = levels.popLast(), let parent = levels.last else { return nil }
      // Up by "..", so that depth costs no open files; whoever moves the directory meanwhile ends the walk.
      let up = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard up >= 0 else { throw SystemError.last("open", path(done.name)) }
      guard fstat(up, &status) == 0, FileIdentity(status) == parent.identity else {
        close(up)
        throw SystemError("open", "\(path(done.name)) was moved", errno: EAGAIN)
      }
      close(directory)
      directory = up
      return .left(done.name)
    }
    return nil
  }

  /// What is in `directory`.
  private func level(_ name: Name) throws(SystemError) -> Level {
    var status = stat()
    guard fstat(directory, &status) == 0 else { throw SystemError.last("fstat", path(name)) }
    let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else {
      let failure = SystemError.last("opendir", path(name))
      if copy >= 0 { close(copy) }
      throw failure
    }
    defer { closedir(stream) }
    var level = Level(name: name, identity: FileIdentity(status), names: [])
    while let record = readdir(stream) {
      let name = withUnsafePointer(to: &record.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) {
          Name(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
        }
      }
      if name != [46, 0], name != [46, 46, 0] { level.names.append(name) }
    }
    return level
  }

  private static func text(_ name: Name) -> String {
    String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
