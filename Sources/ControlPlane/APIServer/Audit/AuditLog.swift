import Foundation
import Locking
import Logging
import NIOPosix

/// Who asked for what and what became of it, as lines of JSON (audit.k8s.io/v1) in a file of bounded size.
///
/// Requests never wait for it and never fail by it: what does not fit into its queue is dropped and counted.
public final class AuditLog: Sendable {
  public struct Limits: Sendable {
    /// Bytes of the file before it is set aside; one older file is kept.
    public var fileBytes = 64 << 20
    /// Bytes that may wait to be written.
    public var queuedBytes = 4 << 20
    /// Refused requests of one user that are written down per second, and twice as many at once: whoever is refused
    /// costs the server little, and must not push out what others did.
    public var refusalsPerSecond = 20.0

    public init() {}
  }

  private struct State {
    var lines: [[UInt8]] = []
    var bytes = 0
    var isWriting = false
    var dropped = 0
    var written = 0
    /// What users may still have written down of their refusals, and since when that is so.
    var allowances: [String: (left: Double, since: ContinuousClock.Instant)] = [:]
  }

  /// The file's path.
  public let path: String
  private let limits: Limits
  private let logger: Logger
  private let state = Mutex(State())

  /// - Parameter path: the file; its directory must exist. An older one is continued.
  public init(path: String, limits: Limits = Limits(), logger: Logger) {
    self.path = path
    self.limits = limits
    self.logger = logger
  }

  /// Events written, and events that were not, since the start.
  public var counts: (written: Int, dropped: Int) { state.withLock { ($0.written, $0.dropped) } }

  /// Takes an event; writes it soon.
  func record(_ event: AuditEvent) {
    if event.status >= 400, !spend(event.user?.name ?? "") { return }
    let line = event.line
    let begins: Bool = state.withLock { state in
      guard state.bytes + line.count <= limits.queuedBytes else {
        state.dropped += 1
        return false
      }
      state.lines.append(line)
      state.bytes += line.count
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if begins { NIOThreadPool.singleton.submit { [self] _ in writeAll() } }
  }

  private func spend(_ user: String) -> Bool {
    state.withLock { state in
      let now = ContinuousClock.now
      let most = limits.refusalsPerSecond * 2
      if state.allowances.count > 4096 { state.allowances = [:] }
      let (left, since) = state.allowances[user] ?? (most, now)
      let grown = min(most, left + (now - since) / .seconds(1) * limits.refusalsPerSecond)
      state.allowances[user] = (max(0, grown - 1), now)
      if grown < 1 { state.dropped += 1 }
      return grown >= 1
    }
  }

  private func writeAll() {
    while true {
      let lines: [[UInt8]]? = state.withLock { state in
        defer { (state.lines, state.bytes) = ([], 0) }
        state.isWriting = !state.lines.isEmpty
        return state.lines.isEmpty ? nil : state.lines
      }
      guard let lines else { return }
      let isWritten = write(lines)
      state.withLock { state in
        if isWritten { state.written += lines.count } else { state.dropped += lines.count }
      }
    }
  }

  private func write(_ lines: [[UInt8]]) -> Bool {
    let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return fail("open") }
    defer { close(file) }
    var status = stat()
    if fstat(file, &status) == 0, status.st_size >= limits.fileBytes {
      guard rename(path, "\(path).1") == 0 else { return fail("rename") }
      return write(lines)
    }
    let bytes = Array(lines.joined())
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        let isFailed = fail("write")
        // Half a line would spoil the next one.
        if sent > 0 { _ = ftruncate(file, status.st_size) }
        return isFailed
      }
      sent += count
    }
    return true
  }

  private func fail(_ call: String) -> Bool {
    let error = errno
    logger.warning(
      "audit events are lost",
      metadata: ["path": "\(path)", "call": "\(call)", "error": "\(String(cString: strerror(error)))"])
    return false
  }
}
