import Foundation
import Glibc

/// One `nagaya` of a test or benchmark, in a process of its own: to be measured, and to be killed.
struct NagayaProcess: Sendable {
  let pid: Int32
  let log: String

  var isRunning: Bool { isAlive(pid) }

  /// Starts it.
  /// - Parameters:
  ///   - log: what it says is added there.
  ///   - path: directories where it looks for programs before all others.
  init(_ program: String, _ arguments: [String], log: String, path: [String] = []) throws {
    self.log = log
    if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
    let process = Process()
    let output = FileHandle(forWritingAtPath: log)
    try output?.seekToEnd()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    var environment = ProcessInfo.processInfo.environment
    environment["PATH"] = (path + [environment["PATH"] ?? "/usr/bin:/bin", "/usr/sbin:/sbin"]).joined(separator: ":")
    // A process that traps would live on until a second one has read its memory.
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    try process.run()
    pid = process.processIdentifier
  }

  /// Ends it as a crash does, and waits until all its threads are gone.
  func kill() async throws { try await end(SIGKILL) }

  /// Asks it to end, and waits until it has.
  func stop() async throws { try await end(SIGTERM) }

  private func end(_ signal: Int32) async throws {
    if isRunning { _ = Glibc.kill(pid, signal) }
    try await within("process \(pid) has ended", seconds: 60) { !isRunning }
  }

  /// The end of what it said.
  var lastWords: String {
    let text = FileManager.default.contents(atPath: log).map { String(decoding: $0.suffix(4000), as: UTF8.self) } ?? ""
    return text.split(separator: "\n").suffix(12).joined(separator: "\n")
  }
}

/// Whether any thread of a process lives: the first one may be gone before the others, and with them the files.
func isAlive(_ pid: Int32) -> Bool {
  guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
  let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
  return !text.contains(") Z ") || threads.count > 1
}
