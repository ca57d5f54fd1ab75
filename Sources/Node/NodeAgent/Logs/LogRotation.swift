import CRI
import KubernetesAPI
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Keeps a container's log bounded: a file that grew beyond a size is renamed and the runtime told to open a new one.
enum LogRotation {
  static let fileBytes = NodeLimits.logFileBytes
  /// Files of a run, the current one included.
  static let files = NodeLimits.logFiles

  /// `<attempt>.log.<number>`, oldest first.
  static func rotatedFiles(place: String, attempt: Int) -> [String] {
    let prefix = "\(attempt).log."
    return Directory.namesIfReadable(in: place).compactMap { name in
      name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
    }.sorted().map { "\(place)/\(prefix)\($0)" }
  }

  /// Rotates the log of a running container if it is due. A rotation that a crash cut off after the renaming is
  /// finished: the runtime writes to the renamed file until it is told.
  static func rotate(place: String, attempt: Int, containerID: String, runtime: RuntimeClient) async throws {
    let current = "\(place)/\(attempt).log"
    var status = stat()
    guard stat(current, &status) == 0 else {
      if errno == ENOENT { try await reopen(containerID, runtime) }
      return
    }
    guard Int64(status.st_size) > fileBytes else { return }
    let rotated = rotatedFiles(place: place, attempt: attempt)
    let last = rotated.last.flatMap { $0.split(separator: ".").last.flatMap { Int($0) } } ?? 0
    guard rename(current, "\(current).\(last + 1)") == 0 else { throw SystemError.last("rename", current) }
    try await reopen(containerID, runtime)
    let newest = "\(current).\(last + 1)"
    // Nobody looked for a while, or the container is very fast: only the end of it is kept.
    try keepEnd(of: newest)
    for old in (rotated + [newest]).dropLast(files - 1) { unlink(old) }
  }

  /// Brings the files of a run that has ended down to their bound.
  static func finish(place: String, attempt: Int) throws(SystemError) {
    let current = "\(place)/\(attempt).log"
    let rotated = rotatedFiles(place: place, attempt: attempt)
    for path in rotated + [current] { try keepEnd(of: path) }
    for old in rotated.dropLast(files - 1) { unlink(old) }
  }

  /// Shortens a rotated file to its last whole lines if it is much longer than it should be.
  static func keepEnd(of path: String) throws(SystemError) {
    guard let size = try FileStatus(of: path)?.size, size > 2 * fileBytes else { return }
    var bytes = try OpenFile(path, .read).read(limit: Int(fileBytes), at: size - fileBytes)
    if let line = bytes.firstIndex(of: UInt8(ascii: "\n")) { bytes.removeFirst(line + 1) }
    try SmallFile.write(bytes, to: "\(path).short")
    guard rename("\(path).short", path) == 0 else { throw SystemError.last("rename", path) }
  }

  private static func reopen(_ containerID: String, _ runtime: RuntimeClient) async throws {
    _ = try await runtime.runtime.reopenContainerLog(
      .with { $0.containerID = containerID }, options: RuntimeClient.within(.seconds(10)))
  }
}
