import Foundation
import Glibc

/// Held by the process that runs an instance, as long as it lives; the kernel lets go of it when the process dies.
///
/// A record lock (fcntl(2)), because it can be asked about without being taken and names its holder. It goes when the
/// process closes any descriptor of the file: the process that holds it must not ask `holder`.
final class InstanceLock: Sendable {
  private let descriptor: Int32

  /// - Parameter part: the part's own lock, not the instance's.
  /// - Throws: `CommandFailure` if another process runs this instance, or this part of it.
  init(_ layout: Layout, part: String? = nil) throws {
    let path = Self.path(layout, part)
    try FileManager.default.createDirectory(
      atPath: layout.run, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw CommandFailure(
        "cannot open \(path): \(String(cString: strerror(errno)))", remedy: "run nagaya up as root")
    }
    var request = Self.wholeFile
    guard fcntl(descriptor, F_SETLK, &request) == 0 else {
      let failure = Self.alreadyRuns(layout, pid: Self.holder(of: descriptor))
      close(descriptor)
      throw failure
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  private static func path(_ layout: Layout, _ part: String?) -> String {
    part.map { "\(layout.run)/\($0).lock" } ?? layout.lock
  }

  /// The process that runs the instance, or a part of it; `nil` if none does.
  /// - Throws: `CommandFailure` if this user may not know.
  static func holder(_ layout: Layout, part: String? = nil) throws -> pid_t? {
    let path = path(layout, part)
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else {
      guard errno == EACCES else { return nil }
      throw CommandFailure(
        "whether Nagaya runs here is not for everybody to see (\(path))", remedy: "run this command as root")
    }
    defer { close(descriptor) }
    return holder(of: descriptor)
  }

  static func alreadyRuns(_ layout: Layout, pid: pid_t?) -> CommandFailure {
    CommandFailure(
      "Nagaya is already running\(pid.map { " (process \($0))" } ?? "") with its state in \(layout.state)",
      remedy:
        "see `nagaya status`; stop it with `nagaya down`, or choose other directories with --state-dir and --run-dir")
  }

  private static func holder(of descriptor: Int32) -> pid_t? {
    var question = wholeFile
    guard fcntl(descriptor, F_GETLK, &question) == 0, question.l_type != Int16(F_UNLCK) else { return nil }
    return question.l_pid
  }

  private static var wholeFile: Glibc.flock {
    var lock = Glibc.flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    return lock
  }
}
