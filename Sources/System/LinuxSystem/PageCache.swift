import Glibc

/// What the kernel keeps in memory of files' content.
public enum PageCache {
  /// Has the kernel forget what it keeps of all files of one file system's tree (posix_fadvise(2)).
  /// - Returns: how many pages it has nevertheless (mincore(2)): programs that have them mapped keep them.
  public static func drop(_ directory: String) throws(SystemError) -> Int {
    var left = 0
    var walk = try TreeWalk(directory)
    while let step = try walk.next() {
      guard case .entry(let name?, let status) = step, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
        continue
      }
      let number = openat(walk.directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
      guard number >= 0 else { throw SystemError.last("open", walk.path(name)) }
      let file = SharedDescriptor(owning: number)
      posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED)
      left += try pages(of: file, bytes: Int(status.st_size))
    }
    return left
  }

  /// Pages of a file that are in memory and can be read.
  static func pages(of file: SharedDescriptor, bytes: Int) throws(SystemError) -> Int {
    var sum = 0
    for offset in stride(from: 0, to: bytes, by: window) {
      let count = min(window, bytes - offset)
      let memory = mmap(nil, count, PROT_READ, MAP_SHARED, file.number, off_t(offset))
      guard let memory, memory != MAP_FAILED else { throw SystemError.last("mmap", "/proc/self/fd/\(file.number)") }
      defer { munmap(memory, count) }
      var states = [UInt8](repeating: 0, count: (count + 4095) / 4096)
      guard mincore(memory, count, &states) == 0 else {
        throw SystemError.last("mincore", "/proc/self/fd/\(file.number)")
      }
      sum += states.count { $0 & 1 != 0 }
    }
    return sum
  }

  /// Bytes that are looked at together.
  private static let window = 256 << 20
}
