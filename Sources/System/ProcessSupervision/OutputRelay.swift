import Glibc

/// Where the lines of all parts go. What is not taken within a moment is dropped: a log that nobody reads (a stopped
/// terminal, a full pipe) must not hold up the parts.
public struct OutputRelay: Sendable {
  private let descriptor: Int32
  private let patience: Duration
  /// Called with the number of bytes after each write.
  private let written: @Sendable (Int) -> Void
  private var dropped = 0

  /// - Parameters:
  ///   - descriptor: stays open as long as the supervisor runs.
  ///   - patience: how long one write may wait.
  public init(
    descriptor: Int32 = STDOUT_FILENO, patience: Duration = .milliseconds(500),
    written: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.descriptor = descriptor
    self.patience = patience
    self.written = written
  }

  mutating func write(_ lines: [[UInt8]], of part: String) {
    guard !lines.isEmpty else { return }
    var bytes: [UInt8] = []
    if dropped > 0 { bytes += Array("supervisor: \(dropped) lines were dropped: nobody took them\n".utf8) }
    for line in lines { bytes += Array("\(part): ".utf8) + line + [UInt8(ascii: "\n")] }
    if send(bytes) { dropped = 0 } else { dropped += lines.count }
  }

  private func send(_ bytes: [UInt8]) -> Bool {
    let deadline = ContinuousClock.now + patience
    var sent = 0
    while sent < bytes.count {
      let left = max(.zero, deadline - .now)
      var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      let milliseconds = Int32(left / .milliseconds(1))
      guard poll(&state, 1, milliseconds) > 0, state.revents & Int16(POLLOUT) != 0 else { return false }
      // A pipe or terminal that can be written takes this much without waiting.
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: sent), min(bytes.count - sent, Int(PIPE_BUF)))
      }
      if count < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        return false
      }
      sent += count
    }
    written(sent)
    return true
  }
}
