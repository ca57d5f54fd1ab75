/// Decides what is to be done about the parts: pure, told of events with their times.
struct SupervisionPlan: Sendable {
  typealias Instant = ContinuousClock.Instant

  enum State: Sendable, Hashable {
    /// Waits for the parts that it needs.
    case pending
    /// Runs; others may not rely on it yet.
    case starting
    case ready
    /// Ended; begins again then.
    case backingOff(until: Instant)
    /// Was asked to end; is killed then.
    case stopping(killAt: Instant, isKilled: Bool)
    case stopped
  }

  struct Part: Sendable {
    let program: SupervisedProgram
    var state = State.pending
    var since: Instant
    var wasReady = false
    /// How often it was started again.
    var restarts = 0
    /// Ends in a row without running well between them.
    var ends = 0
    var lastEnd: ProcessEnd?
    /// Why it will end, in its own words; of the present run, or of the last one.
    var failure: String?
  }

  enum Action: Sendable, Hashable {
    case start(Int)
    case signal(Int, Kind)

    enum Kind: Sendable, Hashable {
      case end
      case kill
    }
  }

  private(set) var parts: [Part]
  private let policy: RestartPolicy
  private(set) var isStopping = false
  /// All parts were ready at the same time once.
  private(set) var wasComplete = false
  /// Why the first start came to nothing.
  private(set) var startFailure: String?

  init(_ programs: [SupervisedProgram], policy: RestartPolicy, now: Instant) {
    parts = programs.map { Part(program: $0, since: now) }
    self.policy = policy
  }

  var isComplete: Bool { parts.allSatisfy { $0.state == .ready } }
  /// Nothing runs any more, and nothing will.
  var isOver: Bool { isStopping && parts.allSatisfy { $0.state == .stopped } }

  // MARK: Events

  mutating func becameReady(_ index: Int, at now: Instant) {
    guard parts[index].state == .starting else { return }
    change(index, to: .ready, at: now)
    parts[index].wasReady = true
    parts[index].failure = nil
    if isComplete { wasComplete = true }
  }

  /// The part says why it cannot go on; its end follows.
  mutating func failed(_ index: Int, _ reason: String) { parts[index].failure = reason }

  mutating func ended(_ index: Int, _ end: ProcessEnd, at now: Instant) {
    let part = parts[index]
    parts[index].lastEnd = end
    switch part.state {
    case .pending, .backingOff, .stopped: return
    case .stopping: change(index, to: .stopped, at: now)
    case .starting, .ready:
      // A first start that a part refuses in words is for people to mend; one that just dies is tried again.
      if !wasComplete, !part.wasReady, let failure = part.failure, startFailure == nil {
        startFailure = failure
        change(index, to: .stopped, at: now)
        isStopping = true
        return
      }
      let ranWell = part.state == .ready && now - part.since >= policy.runsWellAfter
      parts[index].ends = (ranWell ? 0 : part.ends) + 1
      change(index, to: .backingOff(until: now + policy.delay(after: parts[index].ends)), at: now)
    }
  }

  mutating func stop() { isStopping = true }

  // MARK: Decisions

  /// What is to be done now; told once.
  mutating func actions(at now: Instant) -> [Action] { isStopping ? stopActions(at: now) : startActions(at: now) }

  /// When to ask again although nothing happened; `nil`: there is nothing to wait for.
  var nextDeadline: Instant? {
    parts.compactMap { part in
      switch part.state {
      case .backingOff(let until): until
      case .stopping(let killAt, isKilled: false): killAt
      default: nil
      }
    }.min()
  }

  private mutating func startActions(at now: Instant) -> [Action] {
    var actions: [Action] = []
    for index in parts.indices {
      switch parts[index].state {
      case .pending:
        let needed = parts[index].program.startsAfter
        guard parts.allSatisfy({ !needed.contains($0.program.name) || $0.wasReady }) else { continue }
      case .backingOff(let until):
        guard until <= now else { continue }
        parts[index].restarts += 1
      default: continue
      }
      parts[index].failure = nil
      change(index, to: .starting, at: now)
      actions.append(.start(index))
    }
    return actions
  }

  /// The last part first; the one before it when that has ended.
  private mutating func stopActions(at now: Instant) -> [Action] {
    for index in parts.indices.reversed() {
      switch parts[index].state {
      case .stopped: continue
      case .pending, .backingOff: change(index, to: .stopped, at: now)
      case .starting, .ready:
        change(index, to: .stopping(killAt: now + parts[index].program.stopLimit, isKilled: false), at: now)
        return [.signal(index, .end)]
      case .stopping(let killAt, let isKilled):
        guard !isKilled, killAt <= now else { return [] }
        parts[index].state = .stopping(killAt: killAt, isKilled: true)
        return [.signal(index, .kill)]
      }
    }
    return []
  }

  private mutating func change(_ index: Int, to state: State, at now: Instant) {
    parts[index].state = state
    parts[index].since = now
  }
}
