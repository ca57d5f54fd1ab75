import Glibc
import LinuxSystem
import Locking
import Logging
import TestSupport

@testable import ProcessSupervision

/// A supervisor over shells that say on descriptor 3 what a part says, with all that it told.
final class Stage: Sendable {
  struct Script: Sendable {
    let name: String
    let text: String
    var after: Set<String> = []
    var oomScore: Int?
  }

  let directory: String
  let supervisor: Supervisor
  private let reports = Reports()

  private final class Reports: Sendable {
    let all = Mutex<[SupervisionReport]>([])
  }

  /// Runs `body` while the supervisor runs; then everything is stopped and must have ended.
  static func run(_ scripts: [Script], _ body: (Stage) async throws -> Void) async throws {
    let stage = try Stage(scripts)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { _ = try await stage.supervisor.run() }
      do { try await body(stage) } catch {
        stage.supervisor.stop()
        throw error
      }
      stage.supervisor.stop()
      try await group.waitForAll()
    }
    for name in Directory.namesIfReadable(in: stage.directory) { unlink("\(stage.directory)/\(name)") }
    rmdir(stage.directory)
  }

  private init(_ scripts: [Script]) throws {
    directory = "/tmp/nagaya-supervisor-\(UInt32.random(in: 0..<1 << 24))"
    try Directory.make(directory)
    let log = open("\(directory)/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    let (directory, reports) = (directory, reports)
    supervisor = try Supervisor(
      scripts.map {
        SupervisedProgram(
          name: $0.name, program: "/bin/bash", arguments: ["-c", $0.text],
          environment: ["D": directory, "PATH": "/usr/bin:/bin"], startsAfter: $0.after, stopLimit: .milliseconds(300),
          oomScoreAdjustment: $0.oomScore)
      },
      policy: RestartPolicy(first: .milliseconds(20), second: .milliseconds(50), longest: .milliseconds(200)),
      output: OutputRelay(descriptor: log), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) { report in reports.all.withLock { $0.append(report) } }
  }

  var told: [SupervisionReport] { reports.all.withLock { $0 } }
  var last: SupervisionReport? { told.last }
  func part(_ name: String) -> PartStatus? { last?.parts.first { $0.name == name } }
  /// The process of a part that runs.
  func pid(_ name: String) -> pid_t { part(name)?.pid ?? 0 }
  /// What the parts said, as it was passed on.
  var log: String { SmallFile.text("\(directory)/log") ?? "" }

  func untilReady() async throws { try await eventually("all parts are ready") { last?.phase == .ready } }

  static let ready = "echo '{\"ready\":true}' >&3; "
  static func isGone(_ pid: pid_t) -> Bool { kill(pid, 0) != 0 && errno == ESRCH }
}
