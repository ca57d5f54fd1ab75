import LinuxSystem
import Locking
import Logging

/// Keeps the logs of running containers bounded: containerd writes them and knows no limit, so their files are looked at so often
/// that little is written between two looks. Looking, and ending who floods, has a thread of its own.
final class LogWatch: Sendable {
  /// A running container's log.
  struct Log: Sendable {
    let containerID: String
    /// The directory of the container's logs.
    let place: String
    let attempt: Int
    /// Kills the container's processes, because it logs without end.
    let kill: @Sendable () -> Void
    /// Then: says so, and sees to it that it ends.
    let stop: @Sendable () async -> Void

    var path: String { "\(place)/\(attempt).log" }
  }

  private struct Entry {
    let log: Log
    var budget = LogBudget()
    /// A rotation asks the runtime, which may not answer for a while; looking goes on meanwhile.
    var isRotating = false
    var isStopping = false
    var hasFlooded = false
  }

  /// What looking finds to be done.
  private enum Action {
    case stop(Log)
    case rotate(Log)
  }

  private let entries = Mutex<[String: Entry]>([:])
  private let logger: Logger

  static let pause = Duration.milliseconds(200)
  /// While somebody logs much.
  static let shortPause = Duration.milliseconds(50)

  init(logger: Logger) { self.logger = logger }

  func add(_ log: Log) { entries.withLock { if $0[log.containerID] == nil { $0[log.containerID] = Entry(log: log) } } }
  /// Why a container was killed for what it logs; `nil` if it was not.
  func verdict(_ containerID: String) -> String? {
    entries.withLock { $0[containerID]?.hasFlooded == true } ? Self.reason : nil
  }
  static let reason =
    "logged more than \(NodeLimits.logBytesPerSecond >> 20) MiB/s for too long (\(NodeLimits.logBurstBytes >> 20) MiB at once)"

  func remove(_ containerID: String) { entries.withLock { _ = $0.removeValue(forKey: containerID) } }

  /// The container has ended: nothing writes any more, and what it wrote beyond the bound since the last look is cut off.
  func ended(_ containerID: String) async {
    guard let log = entries.withLock({ $0.removeValue(forKey: containerID)?.log }) else { return }
    do { try await BlockingWork.run { try LogRotation.finish(place: log.place, attempt: log.attempt) } } catch {
      logger.warning("a log can't be shortened", metadata: ["log": .string(log.path), "error": "\(error)"])
    }
  }

  /// Until the task is cancelled.
  func run(_ runtime: RuntimeClient) async {
    // Each log has one of each kind under way at most.
    let (actions, queue) = AsyncStream.makeStream(of: Action.self)
    await withDiscardingTaskGroup { group in
      group.addTask {
        do {
          try await WatchThread.run(pause: Self.pause) { self.look(queue) ? Self.shortPause : Self.pause }
        } catch { self.logger.error("nobody looks at logs", metadata: ["error": "\(error)"]) }
        queue.finish()
      }
      for await action in actions {
        group.addTask {
          switch action {
          case .stop(let log): await self.stop(log)
          case .rotate(let log): await self.rotate(log, runtime)
          }
        }
      }
      group.cancelAll()
    }
  }

  /// Looks at all logs once. Waits for nobody: a runtime that does not answer must not let a flood go unseen.
  /// - Returns: whether somebody logs much.
  private func look(_ queue: AsyncStream<Action>.Continuation) -> Bool {
    var isBusy = false
    for log in entries.withLock({ $0.values.map(\.log) }) {
      let current = LogBudget.File(log.path)
      let earlier = LogRotation.rotatedFiles(place: log.place, attempt: log.attempt).compactMap(LogBudget.File.init)
      // A file that is not there: a rotation was cut off after the renaming.
      let isDue = current.map { $0.size > NodeLimits.logFileBytes } ?? true
      let (grows, stops, rotates) = entries.withLock { entries in
        guard var entry = entries[log.containerID] else { return (false, false, false) }
        let verdict = entry.budget.note(current: current, earlier: earlier, at: .now)
        let stops = verdict.isSpent && !entry.isStopping
        let rotates = isDue && !entry.isRotating
        entry.isStopping = entry.isStopping || stops
        entry.hasFlooded = entry.hasFlooded || stops
        entry.isRotating = entry.isRotating || rotates
        entries[log.containerID] = entry
        return (verdict.isBusy, stops, rotates)
      }
      isBusy = isBusy || grows
      if stops {
        log.kill()
        queue.yield(.stop(log))
      }
      if rotates { queue.yield(.rotate(log)) }
    }
    return isBusy
  }

  /// Who floods on although it was stopped is stopped again.
  private func stop(_ log: Log) async {
    await log.stop()
    entries.withLock { $0[log.containerID]?.isStopping = false }
  }

  private func rotate(_ log: Log, _ runtime: RuntimeClient) async {
    do {
      try await LogRotation.rotate(
        place: log.place, attempt: log.attempt, containerID: log.containerID, runtime: runtime)
    } catch {
      logger.warning("a log can't be rotated", metadata: ["log": .string(log.path), "error": "\(error)"])
    }
    entries.withLock { $0[log.containerID]?.isRotating = false }
  }
}

/// What a container may still log: a burst that fills again at a steady rate.
struct LogBudget {
  /// A file of the log.
  struct File: Hashable, Sendable {
    var inode: UInt64
    var size: Int64

    init(inode: UInt64, size: Int64) {
      self.inode = inode
      self.size = size
    }

    /// `nil` if there is none.
    init?(_ path: String) {
      guard let status = (try? FileStatus(of: path)) ?? nil else { return nil }
      self.init(inode: status.inode, size: status.size)
    }
  }

  private var left = NodeLimits.logBurstBytes
  /// Files that the runtime wrote to, by inode, and how long each was: until it is told of a rotation it writes on to the file
  /// that was renamed.
  private var sizes: [UInt64: Int64] = [:]
  private var hasLooked = false
  private var at = ContinuousClock.now

  /// Takes in how long the files of the log are now.
  /// - Parameters:
  ///   - current: the file that is written to; `nil` within a rotation.
  ///   - earlier: those that were renamed. One that never was current is a shortened copy, and nothing new.
  mutating func note(current: File?, earlier: [File], at now: ContinuousClock.Instant) -> (
    isBusy: Bool, isSpent: Bool
  ) {
    var grown: Int64 = 0
    var newer: [UInt64: Int64] = [:]
    for file in earlier {
      guard let size = sizes[file.inode] else { continue }
      grown += max(0, file.size - size)
      newer[file.inode] = file.size
    }
    if let current {
      // What was there before the first look is not known to be new. An inode that is given out again is a new file.
      let known = sizes[current.inode].map { min($0, current.size) } ?? (hasLooked ? 0 : current.size)
      grown += current.size - known
      newer[current.inode] = current.size
    }
    let seconds = max(0, (now - at) / .seconds(1))
    // number: a constant for a minute at most
    left = min(NodeLimits.logBurstBytes, left + Int64(Double(NodeLimits.logBytesPerSecond) * min(seconds, 60))) - grown
    (sizes, at, hasLooked) = (newer, now, true)
    return (grown > 1 << 20, left < 0)
  }
}
