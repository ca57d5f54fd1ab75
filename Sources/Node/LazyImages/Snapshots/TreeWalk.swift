import Glibc
import LinuxSystem

/// Goes through a directory tree that somebody else filled: of any depth, without following links, with a handful of
/// open files.
enum TreeWalk {
  /// A name as the file system has it, ended by zero: containers need not write UTF-8.
  private typealias Name = [CChar]

  /// What is left of a directory on the way.
  private struct Level {
    let name: Name
    let inode: UInt64
    let device: UInt64
    /// Directories in it that are still to be visited.
    var directories: [Name]
  }

  /// Space of a tree, the root included; files with several links are counted once.
  static func usage(of path: String) throws(SystemError) -> LayerUsage {
    var usage = LayerUsage(bytes: 0, inodes: 0)
    var linked: Set<Inode> = []
    try visit(path) { _, _, status in
      if status.st_nlink > 1, status.st_mode & S_IFMT != S_IFDIR,
        !linked.insert(Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))).inserted
      {
        return
      }
      usage.bytes += Int64(status.st_blocks) * 512
      usage.inodes += 1
    } leaving: { _, _ in
    }
    return usage
  }

  /// Removes a tree; fine if it is gone already. Another file system that is mounted in it stays, and the removal fails
  /// with `EBUSY`.
  static func remove(_ path: String) throws(SystemError) {
    if unlink(path) == 0 || errno == ENOENT { return }
    var failure: SystemError?
    func keep(_ call: String, _ name: Name) {
      if failure == nil { failure = SystemError.last(call, "\(path): \(text(name))") }
    }
    try visit(path) { directory, name, status in
      guard status.st_mode & S_IFMT != S_IFDIR, let name else { return }
      if unlinkat(directory, name, 0) != 0, errno != ENOENT { keep("unlink", name) }
    } leaving: { parent, name in
      if unlinkat(parent, name, AT_REMOVEDIR) != 0, errno != ENOENT { keep("rmdir", name) }
    }
    if let failure { throw failure }
    guard rmdir(path) == 0 || errno == ENOENT else { throw SystemError.last("rmdir", path) }
  }

  private struct Inode: Hashable {
    let device: UInt64
    let number: UInt64
  }

  /// - Parameters:
  ///   - entry: is called for the root (name nil) and everything below it: open directory, name in it, status.
  ///   - leaving: is called after everything below a directory: its open parent, its name.
  private static func visit(
    _ path: String, entry: (Int32, Name?, stat) -> Void, leaving: (Int32, Name) -> Void
  ) throws(SystemError) {
    var directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { throw SystemError.last("open", path) }
    defer { close(directory) }
    var status = stat()
    guard fstat(directory, &status) == 0 else { throw SystemError.last("fstat", path) }
    let device = status.st_dev
    entry(directory, nil, status)
    var levels = [try list(directory, path, [0], entry)]
    while var level = levels.popLast() {
      if let name = level.directories.popLast() {
        levels.append(level)
        let next = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard next >= 0 else {
          if errno == ENOENT || errno == ENOTDIR || errno == ELOOP { continue }  // it was changed in between
          throw SystemError.last("open", "\(path): \(text(name))")
        }
        guard fstat(next, &status) == 0, status.st_dev == device else {
          close(next)
          continue  // another file system is mounted there
        }
        close(directory)
        directory = next
        levels.append(try list(directory, path, name, entry))
      } else if let parent = levels.last {
        // Up by "..", so that depth costs no open files; whoever moves the directory meanwhile ends the walk.
        let up = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard up >= 0 else { throw SystemError.last("open", "\(path): ..") }
        guard fstat(up, &status) == 0, status.st_ino == parent.inode, status.st_dev == parent.device else {
          close(up)
          throw SystemError("open", "\(path): \(text(level.name)) was moved", errno: EAGAIN)
        }
        close(directory)
        directory = up
        leaving(directory, level.name)
      }
    }
  }

  private static func list(
    _ directory: Int32, _ path: String, _ name: Name, _ entry: (Int32, Name?, stat) -> Void
  ) throws(SystemError) -> Level {
    var status = stat()
    guard fstat(directory, &status) == 0 else { throw SystemError.last("fstat", "\(path): \(text(name))") }
    var level = Level(name: name, inode: UInt64(status.st_ino), device: UInt64(status.st_dev), directories: [])
    let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else {
      let failure = SystemError.last("opendir", "\(path): \(text(name))")
      if copy >= 0 { close(copy) }
      throw failure
    }
    defer { closedir(stream) }
    var names: [Name] = []
    while let record = readdir(stream) {
      let name = withUnsafePointer(to: &record.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) {
          Name(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
        }
      }
      if name != [46, 0], name != [46, 46, 0] { names.append(name) }
    }
    for name in names {
      guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }  // gone in between
      entry(directory, name, status)
      if status.st_mode & S_IFMT == S_IFDIR { level.directories.append(name) }
    }
    return level
  }

  private static func text(_ name: Name) -> String {
    String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
