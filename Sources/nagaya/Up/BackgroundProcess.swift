import Foundation
import Glibc

/// Starts this binary again as a process of its own session, with its output in a log file.
enum BackgroundProcess {
  /// - Returns: the new process' id.
  static func start(arguments: [String], log: String) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_init(&actions)
    defer {
      posix_spawnattr_destroy(&attributes)
      posix_spawn_file_actions_destroy(&actions)
    }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSID))
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let strings: [UnsafeMutablePointer<CChar>?] = ([Installation.executable] + arguments).map { strdup($0) }
    defer { strings.forEach { free($0) } }
    var pid: pid_t = 0
    let result = posix_spawn(&pid, Installation.executable, &actions, &attributes, strings + [nil], environ)
    guard result == 0 else {
      throw CommandFailure(
        "cannot start \(Installation.executable): \(String(cString: strerror(result)))",
        remedy: "run `nagaya up` in the foreground to see more")
    }
    return pid
  }

  /// Whether the process lives (a zombie of ours does not).
  static func isAlive(_ pid: pid_t) -> Bool {
    var status: Int32 = 0
    if waitpid(pid, &status, WNOHANG) == pid { return false }
    return kill(pid, 0) == 0
  }
}
