import Foundation
import LinuxSystem
import Locking
import Logging
import NodeAgent
import ProcessSupervision

/// What `nagaya up` does: checks that the instance can run here, then runs its parts until a signal asks it to stop.
struct InstanceSupervision {
  let options: PlatformOptions
  let layout: Layout
  let logger: Logger

  func run() async throws {
    var instance = Instance(pid: getpid(), phase: .starting)
    instance.nodeName = options.resolvedNodeName
    DrainRequest(layout).clear()
    try instance.write(to: layout)
    do {
      // Everything that can stand in the way is asked first, so that nothing has to be taken down again.
      try await LeftoverParts(layout).end()
      var options = options
      let sockets = try InstanceSockets(
        &options, environment: ProcessInfo.processInfo.environment, logger: logger)
      instance.engines = try Installation.engines(options.engines)
      instance.api = APIPlace.localServer(port: options.apiPort)
      instance.publicAPI = APIPlace(options).publicServer
      instance.edge = "\(options.edgeAddress):\(options.edgePort)"
      let network = try options.podNetwork()
      try await NetworkReservations().reserve(
        NetworkReservations.Reservation(
          network: network.name, addresses: network.subnet, state: layout.state, run: layout.run))
      for directory in [
        layout.state, layout.pki, "\(layout.state)/api", "\(layout.state)/audit", layout.pool, layout.node,
      ] {
        try FileManager.default.createDirectory(
          atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      }
      try SavedArguments(layout).write(options)
      if let failure = try await supervise(instance, options, sockets) { throw CommandFailure(failure, remedy: "") }
    } catch {
      instance.phase = .failed
      instance.failure = "\(error)"
      try? instance.write(to: layout)
      throw error
    }
    try? FileManager.default.removeItem(atPath: layout.instance)
  }

  /// - Returns: why the first start came to nothing.
  private func supervise(
    _ instance: Instance, _ options: PlatformOptions, _ sockets: InstanceSockets
  ) async throws -> String? {
    defer { withExtendedLifetime(sockets) {} }
    let engine = ContainerdLayout(
      stateDirectory: layout.state, runDirectory: layout.run, enginesDirectory: instance.engines)
    let hadContainers = EngineTakedown.isNeeded(engine, layout)
    let environment = InstanceSockets.environment(ofParts: ProcessInfo.processInfo.environment)
    let record = InstanceRecord(instance, layout: layout)
    var logger = logger
    logger[metadataKey: "part"] = "supervisor"
    let rotation = LogRotation(log: LogFile(path: layout.log), logger: logger)
    let supervisor = try Supervisor(
      PartKind.allCases.map { $0.program(options, environment: environment, sockets: sockets.sockets(of: $0)) },
      output: OutputRelay { rotation.written($0) }, logger: logger
    ) { report in
      // A start that failed leaves nothing running that it began.
      if report.failure != nil, !hadContainers { try? DrainRequest(layout).make() }
      record.take(report)
    }
    try supervisor.stopOnSignals()
    return try await supervisor.run().failure
  }
}

/// Keeps the instance's record in step with what the supervisor tells.
private final class InstanceRecord: Sendable {
  private let layout: Layout
  private let instance: Mutex<Instance>

  init(_ instance: Instance, layout: Layout) {
    self.instance = Mutex(instance)
    self.layout = layout
  }

  func take(_ report: SupervisionReport) {
    let (record, shown) = instance.withLock { instance in
      let shown = instance.steps.count
      instance.take(report)
      return (instance, shown)
    }
    try? record.write(to: layout)
    if isatty(STDOUT_FILENO) == 1 { for step in record.steps.dropFirst(shown) { StartupProgress.show(step) } }
  }
}

extension Instance {
  mutating func take(_ report: SupervisionReport) {
    phase = Phase(rawValue: report.phase.rawValue) ?? .starting
    steps = report.steps.map { Step(name: $0.name, detail: $0.detail, milliseconds: $0.milliseconds) }
    parts = report.parts.map {
      Part(
        name: $0.name, state: $0.state.rawValue, pid: $0.pid, restarts: $0.restarts, since: $0.since,
        retrySeconds: $0.retrySeconds, lastEnd: $0.lastEnd, lastWords: $0.lastWords, failure: $0.failure)
    }
  }
}

/// Rotates the log when enough was written to look at it.
private final class LogRotation: Sendable {
  private let log: LogFile
  private let logger: Logger
  private let unseen = Mutex(0)

  init(log: LogFile, logger: Logger) {
    self.log = log
    self.logger = logger
  }

  func written(_ bytes: Int) {
    let isDue = unseen.withLock { unseen in
      unseen += bytes
      guard unseen >= 256 << 10 else { return false }
      unseen = 0
      return true
    }
    guard isDue else { return }
    do { try log.rotateIfLarge() } catch {
      logger.warning("the log can't be rotated", metadata: ["path": "\(log.path)", "error": "\(error)"])
    }
  }
}
