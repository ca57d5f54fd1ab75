import CLinux

/// How many files this process may have open (`RLIMIT_NOFILE`).
public enum OpenFileLimit {
  /// Raises it to what the machine allows this process.
  public static func raise() throws(SystemError) { try check(nagaya_raise_open_files(), "setrlimit", "RLIMIT_NOFILE") }
}
