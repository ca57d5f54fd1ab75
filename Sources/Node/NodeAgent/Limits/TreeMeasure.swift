import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// What directories take on their disk, measured while somebody else changes them on purpose: no link is followed, no other
/// file system entered, and a directory that is moved away under the walk does not end it.
struct TreeMeasure {
  /// Bytes of allocated blocks; a file with several names counts once.
  private(set) var bytes: Int64 = 0
  private(set) var inodes = 0
  /// There are directories below the deepest one that is looked into: what is in them is not known.
  private(set) var isTooDeep = false
  private var linked: Set<FileID> = []

  private struct FileID: Hashable {
    let device: dev_t
    let inode: ino_t
  }

  /// Every level keeps a directory open; real trees have a tenth of these.
  static let deepest = 256

  /// Adds a tree; nothing if it can't be opened.
  /// - Parameters:
  ///   - bytes: the walk ends when it has seen more.
  ///   - inodes: the same for files and directories.
  mutating func add(_ root: String, atMost bytes: Int64 = .max, inodes: Int = .max) {
    let top = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard top >= 0 else { return }
    var status = stat()
    guard fstat(top, &status) == 0, let stream = fdopendir(top) else {
      close(top)
      return
    }
    // The directory itself is not the pod's doing.
    let device = status.st_dev
    var open = [stream]
    defer { for stream in open { closedir(stream) } }
    while let directory = open.last {
      guard self.bytes <= bytes, self.inodes <= inodes else { return }
      guard let entry = readdir(directory) else {
        closedir(directory)
        open.removeLast()
        continue
      }
      let child = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) {
          enter($0, in: dirfd(directory), on: device, depth: open.count)
        }
      }
      if let child { open.append(child) }
    }
  }

  /// Counts one entry.
  /// - Returns: the directory to go on in.
  private mutating func enter(
    _ name: UnsafePointer<CChar>, in directory: Int32, on device: dev_t, depth: Int
  ) -> OpaquePointer? {
    if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return nil }
    var status = stat()
    guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_dev == device else { return nil }
    count(status)
    guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
    guard depth < Self.deepest else {
      isTooDeep = true
      return nil
    }
    let descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    // It may be another directory by now, even the root of another file system.
    guard fstat(descriptor, &status) == 0, status.st_dev == device, let stream = fdopendir(descriptor) else {
      close(descriptor)
      return nil
    }
    return stream
  }

  private mutating func count(_ status: stat) {
    if status.st_nlink > 1, status.st_mode & S_IFMT != S_IFDIR,
      !linked.insert(FileID(device: status.st_dev, inode: status.st_ino)).inserted
    {
      return
    }
    bytes += Int64(status.st_blocks) * 512
    inodes += 1
  }
}
