import CLinux
import Glibc

extension FileSystem {
  /// Runs `body` while a mounted file system is frozen: all that was written is on its device, and writers wait.
  ///
  /// It is thawed when `body` ends, when this process ends in whatever way, and at the deadline, by a process of its own. Only if
  /// that one is killed together with this one it stays frozen: who freezes writes down first what, and thaws it at the next
  /// start (`thaw`).
  ///
  /// Waits for writers under way, no longer than `deadline`: not for Swift's own threads (`BlockingWork`).
  /// - Parameter deadline: an hour at most.
  /// - Throws: what `body` throws; `SystemError`: `EBUSY` if somebody else has frozen it, `ETIMEDOUT` if writers went on for too
  ///   long, or if it was thawed before `body` had ended: what that has read may be torn.
  public static func frozen<Result>(_ mountPoint: String, deadline: Duration, _ body: () throws -> Result) throws
    -> Result
  {
    let directory = try OpenFile(mountPoint, .directory)
    let (seconds, attoseconds) = min(max(deadline, .milliseconds(1)), .seconds(3600)).components
    // number: an hour at most
    let milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    var control: Int32 = -1
    let process = try check(
      directory.withDescriptor { nagaya_freeze_begin($0, milliseconds, &control) }, "ioctl(FIFREEZE)", mountPoint)
    let result = Swift.Result(catching: body)
    let answer = nagaya_freeze_end(process, control)
    // Its process was killed: nobody has thawed yet.
    if answer == -ECHILD { _ = directory.withDescriptor { nagaya_thaw($0) } }
    let value = try result.get()
    try check(answer, "ioctl(FITHAW)", mountPoint)
    return value
  }

  /// Thaws a mounted file system, whoever has frozen it; fine if it is not frozen.
  public static func thaw(_ mountPoint: String) throws(SystemError) {
    let directory = try OpenFile(mountPoint, .directory)
    let answer = directory.withDescriptor { nagaya_thaw($0) }
    if answer != -EINVAL { try check(answer, "ioctl(FITHAW)", mountPoint) }
  }
}
