import Foundation
import Glibc
import Locking
import PlatformHarness

/// `nagaya serve images` of an engine, and the processes that keep and guard its layers: to be killed.
final class CrashDaemon: Sendable {
  /// Who is killed.
  enum Victim: CaseIterable {
    case daemon, keeper, both
    /// Everything of ours in one moment.
    case all
  }

  private let engine: ImageEngine
  let program: String
  private let current: Mutex<Int32>

  /// - Parameter engine: has started the first one.
  init(of engine: ImageEngine, nagaya: String) {
    self.engine = engine
    program = nagaya
    current = Mutex(engine.snapshotterPID ?? 0)
  }

  private var pid: Int32 { current.withLock { $0 } }

  private var runDirectory: String { "\(engine.directory)/run" }

  /// Kills with SIGKILL, and waits until the victim is dead.
  func kill(_ victim: Victim) async throws {
    var victims = victim == .keeper ? [] : [pid]
    if victim != .daemon { victims += helpers(victim == .all ? nil : "keep-layers") }
    for victim in victims { _ = Glibc.kill(victim, SIGKILL) }
    try await within("the killed processes are dead") { victims.allSatisfy { !isAlive($0) } }
  }

  /// Starts another one if there is none, and waits until it serves.
  func start() async throws {
    guard !isAlive(pid) else { return }
    try? FileManager.default.removeItem(atPath: "\(runDirectory)/snapshots.sock")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [
      "serve", "images", "--root", "\(engine.directory)/nagaya", "--run", runDirectory, "--hosts-directory",
      "\(engine.directory)/certs.d",
    ]
    let log = FileHandle(forWritingAtPath: "\(engine.directory)/nagaya.log")
    try log?.seekToEnd()
    process.standardOutput = log
    process.standardError = log
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let started = process.processIdentifier
    current.withLock { $0 = started }
    try await within("the daemon serves") {
      FileManager.default.fileExists(atPath: "\(runDirectory)/snapshots.sock")
        || !process.isRunning
    }
    guard process.isRunning else { throw Problem("the daemon does not start") }
  }

  /// Ends the daemon in an orderly way.
  func stop() async throws {
    _ = Glibc.kill(pid, SIGTERM)
    try await within("the daemon has ended") { !isAlive(pid) }
  }

  /// Processes that hold descriptors for the daemon.
  /// - Parameter command: `keep-layers`, `guard-layers`; both if nil.
  func helpers(_ command: String? = nil) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { pid in
      guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
      let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      guard words.count == 3, words[2] == "\(runDirectory)/layers" else { return false }
      return command.map { words[1] == $0 } ?? words[1].hasSuffix("-layers")
    }
  }

  /// Open files of the daemon, and of its helpers together.
  func openFiles() -> (daemon: Int, helpers: Int) {
    func count(_ pid: Int32) -> Int {
      ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []).count
    }
    return (count(pid), helpers().map(count).reduce(0, +))
  }

  /// Whatever state it is in, afterwards nothing of it runs.
  func destroy() {
    for pid in (isAlive(pid) ? [pid] : []) + helpers() { _ = Glibc.kill(pid, SIGKILL) }
  }
}

/// What must not happen.
struct Problem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Waits for a condition.
/// - Throws: a problem if it does not hold in time.
func within(
  _ what: String, seconds: Int = 30, isolation: isolated (any Actor)? = #isolation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw Problem("not within \(seconds) s: \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
