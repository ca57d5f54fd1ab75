import LinuxSystem
import Logging
import Synchronization

/// Keeps the logs of running containers bounded: containerd writes them and knows no limit, so their files are looked at so often
/// that little is written between two looks.
final class LogWatch: Sendable {
  /// A running container's log.
  struct Log: Sendable {
    let containerID: String
    /// The directory of the container's logs.
    let place: String
    let attempt: Int
    /// Ends the container, because it logs without end.
    let stop: @Sendable () async -> Void

    var path: String { "\(place)/\(attempt).log" }
  }

  private struct Entry {
    let log: Log
    var budget = LogBudget()
  }

  private let entries = Mutex<[String: Entry]>([:])
  private let logger: Logger

  static let pause = Duration.milliseconds(200)
  /// While somebody logs much.
  static let shortPause = Duration.milliseconds(50)

  init(logger: Logger) { self.logger = logger }

  func add(_ log: Log) { entries.withLock { if $0[log.containerID] == nil { $0[log.containerID] = Entry(log: log) } } }
  func remove(_ containerID: String) { entries.withLock { _ = $0.removeValue(forKey: containerID) } }

  /// Until the task is cancelled.
  func run(_ runtime: RuntimeClient) async {
    var pause = Self.pause
    while !Task.isCancelled {
      do { try await Task.sleep(for: pause) } catch { return }
      pause = await look(runtime) ? Self.shortPause : Self.pause
    }
  }

  /// - Returns: whether somebody logs much.
  private func look(_ runtime: RuntimeClient) async -> Bool {
    var isBusy = false
    for log in entries.withLock({ $0.values.map(\.log) }) {
      let size = ((try? FileStatus(of: log.path)) ?? nil)?.size
      let verdict = entries.withLock { $0[log.containerID]?.budget.note(size: size ?? 0, at: .now) }
      isBusy = isBusy || verdict?.isBusy == true
      if verdict?.isSpent == true {
        remove(log.containerID)
        await log.stop()
      }
      // A file that is not there: a rotation was cut off after the renaming.
      guard size.map({ $0 > NodeLimits.logFileBytes }) ?? true else { continue }
      do {
        try await LogRotation.rotate(
          place: log.place, attempt: log.attempt, containerID: log.containerID, runtime: runtime)
      } catch {
        logger.warning("a log can't be rotated", metadata: ["log": .string(log.path), "error": "\(error)"])
      }
    }
    return isBusy
  }
}

/// What a container may still log: a burst that fills again at a steady rate.
struct LogBudget {
  private var left = NodeLimits.logBurstBytes
  private var size: Int64?
  private var at = ContinuousClock.now

  /// Takes in how long the log is now; a shorter one than before is a new file.
  mutating func note(size newer: Int64, at now: ContinuousClock.Instant) -> (isBusy: Bool, isSpent: Bool) {
    // What was there before the first look is not known to be new.
    let grown = size.map { newer >= $0 ? newer - $0 : newer } ?? 0
    let seconds = max(0, (now - at) / .seconds(1))
    left = min(NodeLimits.logBurstBytes, left + Int64(Double(NodeLimits.logBytesPerSecond) * min(seconds, 60))) - grown
    (size, at) = (newer, now)
    return (grown > 1 << 20, left < 0)
  }
}
