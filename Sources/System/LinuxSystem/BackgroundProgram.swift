import CLinux
import Glibc

/// Programs that outlive whoever starts them.
public enum BackgroundProgram {
  /// Starts a program with nothing open but `/dev/null`; it is expected to call `leaveParent` first.
  /// Returns when it has done so.
  public static func start(_ command: [String]) throws(SystemError) {
    guard let program = command.first else { throw SystemError("posix_spawn", "", errno: EINVAL) }
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var status: Int32 = 0
    try check(nagaya_start(&arguments, &status), "posix_spawn", program)
    guard status == 0 else { throw SystemError("posix_spawn", program, errno: ECHILD) }
  }

  /// First act of such a program, while it has one thread: goes on in a process without parent, terminal and inherited
  /// files, which the kernel spares when memory runs out.
  public static func leaveParent() throws(SystemError) {
    try check(nagaya_become_background(), "fork", "background")
    try check(nagaya_close_from(3), "close_range", "background")
    try? KernelSetting.write("-999", to: "/proc/self/oom_score_adj")
  }
}
