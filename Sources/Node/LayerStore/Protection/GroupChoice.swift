import Glibc
import LinuxSystem

/// Picks a group that the kernel asks early.
///
/// The guard must be asked after the store. Which of two groups is asked first follows from where they lie in the
/// kernel's memory; of a handful the one that is asked first leaves most places behind it for the guard's.
enum GroupChoice {
  private static let candidates = 8

  /// - Parameter directory: where a file can be tried out on.
  static func early(_ directory: String) async throws -> PreContentGroup {
    let path = "\(directory)/\(LayerFiles.unfinished)early-\(UInt32.random(in: 0 ... .max))"
    let file = try SharedDescriptor(path, .createNew)
    try Directory.removeFile(path)
    try file.truncate(to: 4096)
    var groups: [PreContentGroup] = []
    // The kernel allows a user 128 of them; fewer will do.
    for _ in 0..<candidates {
      do { groups.append(try PreContentGroup()) } catch { if groups.isEmpty { throw error } else { break } }
    }
    for group in groups { try group.mark(file) }
    // Opened after the marks: this one asks.
    let reader = try SharedDescriptor("/proc/self/fd/\(file.number)", .read)
    async let read = BlockingWork.run {
      try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { _ = try reader.read(into: $0, at: 0) }
    }
    let order = await answerAll(groups)
    try await read
    guard let first = order.first else { throw LayerStoreError.unsupported(why: "the kernel asks no group") }
    try groups[first].unmark(file)
    return groups[first]
  }

  /// Lets the reader pass every group.
  /// - Returns: their indexes in the order in which they were asked.
  private static func answerAll(_ groups: [PreContentGroup]) async -> [Int] {
    let order = try? await BlockingWork.run {
      var order: [Int] = []
      while order.count < groups.count {
        var polled = groups.map { pollfd(fd: $0.descriptor.number, events: Int16(POLLIN), revents: 0) }
        guard poll(&polled, nfds_t(polled.count), 10_000) > 0 else { break }
        for (index, entry) in polled.enumerated() where entry.revents != 0 {
          try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            let count = try groups[index].read(into: buffer)
            PreContentEvent.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
              groups[index].allow($0.number)
              close($0.number)
            }
          }
          order.append(index)
        }
      }
      return order
    }
    return order ?? []
  }
}
