import CLinux
import Glibc
import LinuxSystem
import Locking
public import Logging

/// Runs the parts of an instance until it is asked to stop.
public final class Supervisor: Sendable {
  private let programs: [SupervisedProgram]
  private let policy: RestartPolicy
  private let output: OutputRelay
  private let changed: @Sendable (SupervisionReport) -> Void
  private let logger: Logger
  /// Counts requests to stop.
  private let stopRequests: SharedDescriptor
  private let isRunning = Mutex(false)

  /// - Parameter changed: called on the supervisor's own thread after every change; it should not take long.
  /// - Throws: `SystemError` if there are no descriptors left.
  public init(
    _ programs: [SupervisedProgram], policy: RestartPolicy = RestartPolicy(), output: OutputRelay = OutputRelay(),
    logger: Logger, changed: @escaping @Sendable (SupervisionReport) -> Void
  ) throws(SystemError) {
    self.programs = programs
    self.policy = policy
    self.output = output
    self.logger = logger
    self.changed = changed
    let counter = nagaya_event_counter()
    guard counter >= 0 else { throw SystemError("eventfd", "supervisor", errno: -counter) }
    stopRequests = SharedDescriptor(owning: counter)
  }

  /// From now on SIGTERM, SIGINT and SIGHUP ask this supervisor to stop.
  public func stopOnSignals() throws(SystemError) {
    let answer = nagaya_signals_to_counter(stopRequests.number)
    guard answer == 0 else { throw SystemError("sigaction", "supervisor", errno: -answer) }
  }

  /// Stops the parts in the opposite order of their start; `run` returns when they have ended.
  public func stop() {
    var one: UInt64 = 1
    _ = write(stopRequests.number, &one, 8)
  }

  /// Runs the parts until they were asked to stop and have ended. Call it once.
  /// - Returns: the last report; its `failure` says why the first start came to nothing.
  public func run() async throws -> SupervisionReport {
    // A thread of its own, because the kernel kills the children with the thread that started them.
    try await BlockingWork.run { [self] in
      let isFirst = isRunning.withLock { isRunning in
        defer { isRunning = true }
        return !isRunning
      }
      precondition(isFirst, "a supervisor runs once")
      let loop = SupervisionLoop(
        SupervisionPlan(programs, policy: policy, now: .now), output: output, stopRequests: stopRequests,
        logger: logger, changed: changed)
      return loop.run()
    }
  }
}

/// The supervisor's thread.
private final class SupervisionLoop {
  private var plan: SupervisionPlan
  private var children: [ChildProcess?]
  private var lastWords: [[String]]
  private var steps: [SupervisionReport.Step] = []
  private var output: OutputRelay
  private let stopRequests: SharedDescriptor
  private let logger: Logger
  private let changed: @Sendable (SupervisionReport) -> Void
  private let began = ContinuousClock.now
  private var lastReport: SupervisionReport?
  /// When each part's state began, by the wall clock as it was then.
  private var since: [(state: SupervisionPlan.Instant, wallClock: Int64)]

  init(
    _ plan: SupervisionPlan, output: OutputRelay, stopRequests: SharedDescriptor, logger: Logger,
    changed: @escaping @Sendable (SupervisionReport) -> Void
  ) {
    self.plan = plan
    self.output = output
    self.stopRequests = stopRequests
    self.logger = logger
    self.changed = changed
    children = plan.parts.map { _ in nil }
    lastWords = plan.parts.map { _ in [] }
    since = plan.parts.map { ($0.since, Int64(time(nil))) }
  }

  func run() -> SupervisionReport {
    while true {
      // Why parts are stopped is told before they are: whoever hears it may prepare their end.
      tell()
      for action in plan.actions(at: .now) { perform(action) }
      tell()
      if plan.isOver { return report }
      wait()
    }
  }

  private func name(_ index: Int) -> String { plan.parts[index].program.name }

  private func perform(_ action: SupervisionPlan.Action) {
    switch action {
    case .start(let index):
      do throws(SystemError) {
        let child = try ChildProcess(plan.parts[index].program)
        children[index] = child
        logger.info("part started", metadata: ["part": "\(name(index))", "pid": "\(child.id)"])
      } catch {
        ended(index, .notStarted(reason: "\(error)"))
      }
    case .signal(let index, let kind):
      if kind == .kill { logger.warning("a part does not end; killing it", metadata: ["part": "\(name(index))"]) }
      children[index]?.signal(kind)
    }
  }

  private func ended(_ index: Int, _ end: ProcessEnd) {
    plan.ended(index, end, at: .now)
    let part = plan.parts[index]
    switch part.state {
    case .backingOff(let until):
      logger.error(
        "a part ended; starting it again",
        metadata: [
          "part": "\(name(index))", "end": "\(end)", "in": "\(max(.zero, until - .now))",
          "failure": "\(part.failure ?? "none told")",
        ])
    default: logger.info("part ended", metadata: ["part": "\(name(index))", "end": "\(end)"])
    }
  }

  // MARK: Waiting

  /// Waits for the next thing to happen, and takes note of it.
  private func wait() {
    var polled = [pollfd(fd: stopRequests.number, events: Int16(POLLIN), revents: 0)]
    var handlers: [() -> Void] = [{ self.takeStopRequests() }]
    func add(_ descriptor: SharedDescriptor, _ handler: @escaping () -> Void) {
      polled.append(pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0))
      handlers.append(handler)
    }
    for (index, child) in children.enumerated() {
      guard let child else { continue }
      // What it said comes before its end.
      if child.isOutputOpen { add(child.output) { self.relay(index, child) } }
      if child.isStatusOpen { add(child.status) { self.takeStatus(index, child) } }
      add(child.end) { self.takeEnd(index, child) }
    }
    var timeout: Int32 = -1
    if let deadline = plan.nextDeadline {
      // Rounded up, so that it is over then.
      // number: an hour at most
      timeout = Int32(min(max(.zero, deadline - .now), .seconds(3600)) / .milliseconds(1)) + 1
    }
    guard poll(&polled, nfds_t(polled.count), timeout) > 0 else { return }
    for (entry, handler) in zip(polled, handlers) where entry.revents != 0 { handler() }
  }

  private func takeStopRequests() {
    var count: UInt64 = 0
    _ = read(stopRequests.number, &count, 8)
    if !plan.isStopping { logger.info("stopping") }
    plan.stop()
  }

  private func relay(_ index: Int, _ child: ChildProcess) { output.write(child.readOutput(), of: name(index)) }

  private func takeStatus(_ index: Int, _ child: ChildProcess) {
    for message in child.readStatus() {
      switch message {
      case .step(let name, let detail): note(name, detail)
      case .ready:
        plan.becameReady(index, at: .now)
        logger.info("part is ready", metadata: ["part": "\(self.name(index))"])
      case .failed(let reason): plan.failed(index, reason)
      }
    }
  }

  /// A step that comes again (after a restart) keeps its place.
  private func note(_ name: String, _ detail: String) {
    let milliseconds = Int((ContinuousClock.now - began) / .milliseconds(1))
    if let index = steps.firstIndex(where: { $0.name == name }) {
      steps[index].detail = detail
    } else if steps.count < 100 {
      steps.append(.init(name: name, detail: detail, milliseconds: milliseconds))
    }
  }

  private func takeEnd(_ index: Int, _ child: ChildProcess) {
    guard let end = child.reap() else { return }
    // The rest of what it said; bounded, for others may hold its output open.
    for _ in 0..<64 where child.isOutputOpen {
      let lines = child.readOutput()
      if lines.isEmpty { break }
      output.write(lines, of: name(index))
    }
    takeStatus(index, child)
    lastWords[index] = child.lastWords
    children[index] = nil
    ended(index, end)
  }

  // MARK: Telling

  private func tell() {
    for (index, part) in plan.parts.enumerated() where since[index].state != part.since {
      since[index] = (part.since, Int64(time(nil)))
    }
    let report = report
    guard report != lastReport else { return }
    lastReport = report
    changed(report)
  }

  private var report: SupervisionReport {
    let parts = plan.parts.enumerated().map { index, part in
      var status = PartStatus(
        name: part.program.name, state: Self.state(part.state), pid: children[index]?.id, restarts: part.restarts,
        since: since[index].wallClock, lastEnd: part.lastEnd?.description, lastWords: lastWords[index],
        failure: part.failure)
      if case .backingOff(let until) = part.state { status.retrySeconds = Int((until - part.since) / .seconds(1)) }
      return status
    }
    let phase: SupervisionReport.Phase =
      plan.isStopping ? .stopping : plan.isComplete ? .ready : plan.wasComplete ? .degraded : .starting
    return SupervisionReport(phase: phase, parts: parts, steps: steps, failure: plan.startFailure)
  }

  private static func state(_ state: SupervisionPlan.State) -> PartStatus.State {
    switch state {
    case .pending: .pending
    case .starting: .starting
    case .ready: .ready
    case .backingOff: .backingOff
    case .stopping: .stopping
    case .stopped: .stopped
    }
  }
}
