import Foundation
import Glibc
import Locking

/// Where commands write. Tests put their own in its place.
struct Console: Sendable {
  @TaskLocal static var current = Console.standard

  /// Takes text for standard output, with its newlines.
  var write: @Sendable (String) -> Void
  /// Takes text for standard error, with its newlines.
  var writeError: @Sendable (String) -> Void
  /// Standard error is a terminal: progress may be drawn over.
  var isTerminal: Bool
  /// Characters a line of the terminal has.
  var width: Int

  static let standard = Console(
    write: { put($0, on: STDOUT_FILENO) }, writeError: { put($0, on: STDERR_FILENO) },
    isTerminal: isatty(STDERR_FILENO) == 1, width: terminalWidth())

  /// Prints a line.
  static func print(_ line: String = "") { current.write(line + "\n") }
  /// Prints a line for people, that is not the command's result.
  static func note(_ line: String) { current.writeError(line + "\n") }

  private static func put(_ text: String, on descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      // The reader went away (`nagaya get apps | head`): there is nobody to tell.
      if count <= 0 { exit(errno == EPIPE ? 0 : 1) }
      bytes = bytes.dropFirst(count)
    }
  }

  private static func terminalWidth() -> Int {
    var size = winsize()
    return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}

/// One line that tells how far a wait is. On a terminal it is redrawn; elsewhere each change is a line.
final class ProgressLine: Sendable {
  private let shown = Mutex("")
  private let started = ContinuousClock.now
  private let console = Console.current

  func show(_ text: String) {
    shown.withLock { last in
      if console.isTerminal {
        let seconds = (ContinuousClock.now - started).components.seconds
        console.writeError("\r\u{1B}[K\(String("\(text)  \(seconds)s".prefix(max(10, console.width - 1))))")
      } else if text != last {
        console.writeError(text + "\n")
      }
      last = text
    }
  }

  /// Takes the line off the terminal.
  func clear() {
    shown.withLock { last in
      if console.isTerminal && !last.isEmpty { console.writeError("\r\u{1B}[K") }
      last = ""
    }
  }
}
