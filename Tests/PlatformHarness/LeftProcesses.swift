import Foundation

/// Processes that a test has started and that outlived what started them.
public enum LeftProcesses {
  /// Ends those whose command line has `text` in it, at once: a directory that is the test's own. Not by a shell, whose own command
  /// line would have it, too.
  public static func kill(naming text: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let pid = Int32(name), pid != getpid(),
        let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline"),
        String(decoding: line, as: UTF8.self).contains(text)
      else { continue }
      _ = Foundation.kill(pid, SIGKILL)
    }
  }
}
