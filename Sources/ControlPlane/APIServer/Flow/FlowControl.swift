import KubernetesAPI
import KubernetesClient
import Synchronization

/// Who may have how much of the server at once: levels of priority, each with seats of its own, shared fairly by flow.
///
/// The shape is that of Kubernetes' API Priority and Fairness with one fixed configuration. What lasts (watches after their
/// beginning, logs, answers that are read slowly) holds no seat; it is counted by flow instead.
final class FlowControl: Sendable {
  /// A level of priority; each has seats of its own, so that none is starved by another.
  enum Level: String, Sendable, CaseIterable {
    /// The platform's parts and administrators: never waits, is never refused.
    case exempt
    /// Nodes and their leases: what the platform needs to see that it lives.
    case system
    /// Everybody else.
    case tenants
  }

  struct Flow: Sendable, Hashable {
    let level: Level
    let name: String
  }

  /// What a request asks for.
  struct Work: Sendable, Hashable {
    enum Duration: Sendable { case short, list, watch, log }
    var duration: Duration
    /// Seats.
    var cost: Int
    /// Bytes of the body.
    var bytes = 0
  }

  private let queues: [Level: FairQueue]
  private let lasting: [Level: LastingRequests]
  private let counters: ServerCounters
  /// Seats of answers under way, and when they end at the latest.
  private let bounded = Mutex<[(until: ContinuousClock.Instant, permit: WeakPermit)]>([])
  private let longestSeat: Duration

  private struct WeakPermit: Sendable {
    weak let permit: Permit?
  }

  init(_ configuration: APIServerConfiguration, counters: ServerCounters) {
    self.counters = counters
    let perFlow = max(1, min(configuration.seatsPerFlow, configuration.requestsPerUser))
    let limits = FairQueue.Limits(
      seats: configuration.seats, seatsPerFlow: perFlow, waitingPerFlow: configuration.requestsPerUser - perFlow,
      waiting: configuration.waitingRequests, bytesPerFlow: configuration.waitingBytesPerUser,
      bytes: configuration.waitingBytes, patience: configuration.requestPatience)
    // Nodes and the edge are few and trusted: one of them may have all of its level.
    var trusted = limits
    trusted.seatsPerFlow = limits.seats
    trusted.waitingPerFlow = limits.waiting
    queues = [.system: FairQueue(trusted), .tenants: FairQueue(limits)]
    let bounds = LastingRequests.Limits(
      watches: configuration.watchesPerUser, logs: configuration.logsPerUser, lists: configuration.requestsPerUser)
    let trustedBounds = LastingRequests.Limits(
      watches: bounds.watches * 10, logs: bounds.logs * 10, lists: bounds.lists * 10)
    longestSeat = configuration.longestSeat
    lasting = [.system: LastingRequests(trustedBounds), .tenants: LastingRequests(bounds)]
  }

  /// A request's permission to use the server; ends once, at the latest when nobody knows it any more.
  final class Permit: Sendable {
    private let ends: Mutex<(seat: (@Sendable () -> Void)?, lasting: (@Sendable () -> Void)?)>

    fileprivate init(seat: @escaping @Sendable () -> Void, lasting: (@Sendable () -> Void)?) {
      ends = Mutex((seat, lasting))
    }

    func endSeat() { ends.withLock { $0.seat.take() }?() }

    func end() {
      endSeat()
      ends.withLock { $0.lasting.take() }?()
    }

    deinit { end() }
  }

  /// Waits for a flow's turn.
  /// - Throws: `APIStatus` 429 if the flow has too much under way or waits for too long.
  func admit(_ flow: Flow, _ work: Work) async throws(APIStatus) -> Permit {
    guard let queue = queues[flow.level], let lasting = lasting[flow.level] else {
      return Permit(seat: {}, lasting: nil)
    }
    var endsLasting: (@Sendable () -> Void)?
    if work.duration != .short {
      guard lasting.enter(flow.name, work.duration) else {
        counters.limited()
        throw Self.refusal
      }
      endsLasting = { lasting.leave(flow.name, work.duration) }
    }
    guard await queue.enter(flow.name, cost: work.cost, bytes: work.bytes) else {
      endsLasting?()
      counters.limited()
      throw Self.refusal
    }
    return Permit(seat: { queue.leave(flow.name, cost: work.cost) }, lasting: endsLasting)
  }

  /// Lets a permit's seat end after a while, though its answer is under way: a client that does not read would hold it for
  /// ever, and makes no work while it does not.
  func bound(_ permit: Permit) {
    bounded.withLock { $0.append((.now + longestSeat, WeakPermit(permit: permit))) }
  }

  /// Refuses whoever has waited too long, and takes seats that were held for too long.
  func expire() {
    let now = ContinuousClock.now
    let ended = bounded.withLock { bounded in
      let ended = bounded.filter { $0.until <= now }
      bounded.removeAll { $0.until <= now || $0.permit.permit == nil }
      return ended
    }
    for entry in ended { entry.permit.permit?.endSeat() }
    for queue in queues.values { queue.expire() }
  }

  /// Seats held, requests waiting, watches and logs open, of all flows that are limited.
  var size: (held: Int, waiting: Int, lasting: Int) {
    queues.values.map(\.size).reduce((0, 0, lasting.values.map(\.count).reduce(0, +))) {
      ($0.0 + $1.held, $0.1 + $1.waiting, $0.2)
    }
  }

  /// In Kubernetes' words.
  static let refusal = APIStatus(
    .tooManyRequests, "Too many requests, please try again later.", retryAfterSeconds: 1)
}

/// Requests that are open for long, by flow.
final class LastingRequests: Sendable {
  struct Limits: Sendable {
    var watches: Int
    var logs: Int
    /// Lists whose answers are under way, with those that wait for their seat.
    var lists: Int

    subscript(kind: FlowControl.Work.Duration) -> Int {
      switch kind {
      case .watch: watches
      case .log: logs
      case .list: lists
      case .short: .max
      }
    }
  }
  private let limits: Limits
  private let open = Mutex<[String: [FlowControl.Work.Duration: Int]]>([:])

  init(_ limits: Limits) { self.limits = limits }

  /// Watches and logs that are open.
  var count: Int {
    open.withLock { $0.values.reduce(0) { $0 + ($1[.watch] ?? 0) + ($1[.log] ?? 0) } }
  }

  func enter(_ flow: String, _ kind: FlowControl.Work.Duration) -> Bool {
    open.withLock { open in
      guard open[flow]?[kind] ?? 0 < limits[kind] else { return false }
      open[flow, default: [:]][kind, default: 0] += 1
      return true
    }
  }

  func leave(_ flow: String, _ kind: FlowControl.Work.Duration) {
    open.withLock { open in
      guard let count = open[flow]?[kind] else { return }
      open[flow]?[kind] = count > 1 ? count - 1 : nil
      if open[flow]?.isEmpty == true { open[flow] = nil }
    }
  }
}
