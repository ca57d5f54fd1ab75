import Glibc
import Locking

/// Tells the supervisor how this process comes up. Without a supervisor nothing is told, and nothing breaks.
public final class StatusReporter: Sendable {
  /// Names the descriptor to the child.
  static let variable = "NAGAYA_STATUS_FD"
  static let descriptor: Int32 = 3

  private let descriptor: Mutex<Int32?>
  private let readiness = Mutex(false)

  /// Takes the descriptor over; call it once, before anything else is started, which must not inherit it.
  public init() {
    let number = getenv(Self.variable).flatMap { Int32(String(cString: $0)) }
    unsetenv(Self.variable)
    if let number, number > 2, fcntl(number, F_SETFD, FD_CLOEXEC) == 0 {
      // A supervisor that is gone or stuck must not hold this process up.
      _ = fcntl(number, F_SETFL, O_NONBLOCK)
      signal(SIGPIPE, SIG_IGN)
      descriptor = Mutex(number)
    } else {
      descriptor = Mutex(nil)
    }
  }

  /// Something has come up.
  public func step(_ name: String, _ detail: String) { send(.step(name: name, detail: detail)) }
  /// Others may rely on this process.
  public func ready() {
    readiness.withLock { $0 = true }
    send(.ready)
  }
  /// Whether that was told.
  public var wasReady: Bool { readiness.withLock { $0 } }

  /// This process is about to end, and why.
  public func failed(_ reason: String) { send(.failed(reason: reason)) }

  /// Whether somebody started this process who wants to know.
  public var isSupervised: Bool { descriptor.withLock { $0 != nil } }

  private func send(_ message: StatusMessage) {
    let line = message.line
    descriptor.withLock { descriptor in
      guard let number = descriptor else { return }
      // Lines are shorter than what a pipe takes at once or not at all (PIPE_BUF) in all but the longest cases.
      _ = write(number, line, line.count)
    }
  }
}
