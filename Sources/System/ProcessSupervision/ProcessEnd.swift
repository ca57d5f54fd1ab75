import Glibc

/// How a process ended.
public enum ProcessEnd: Sendable, Hashable, CustomStringConvertible {
  case exited(code: Int32)
  case signaled(Int32)
  /// It never began.
  case notStarted(reason: String)

  /// - Parameter waitStatus: as `waitpid(2)` gives it.
  init(waitStatus: Int32) {
    let signal = waitStatus & 0x7f
    self = signal == 0 ? .exited(code: waitStatus >> 8 & 0xff) : .signaled(signal)
  }

  public var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .signaled(let number): "signal \(number)\(Self.names[number].map { " (\($0))" } ?? "")"
    case .notStarted(let reason): "could not be started: \(reason)"
    }
  }

  private static let names: [Int32: String] = [
    SIGILL: "a trap of the program", SIGTRAP: "a trap of the program", SIGABRT: "aborted", SIGSEGV: "bad memory access",
    SIGBUS: "bad memory access", SIGKILL: "killed", SIGTERM: "asked to end", SIGFPE: "bad arithmetic",
  ]
}
