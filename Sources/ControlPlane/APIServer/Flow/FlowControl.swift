import KubernetesAPI
import KubernetesClient
import Synchronization

/// Who may have how much of the server at once: levels of priority, each with seats of its own, shared fairly by flow.
///
/// The shape is that of Kubernetes' API Priority and Fairness with one fixed configuration. What lasts (watches, logs)
/// holds no seat; it is counted by flow instead.
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
    let bounds = LastingRequests.Limits(watches: configuration.watchesPerUser, logs: configuration.logsPerUser)
    let trustedBounds = LastingRequests.Limits(watches: bounds.watches * 10, logs: bounds.logs * 10)
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
    if work.duration == .watch || work.duration == .log {
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

  /// Refuses whoever has waited too long.
  func expire() { for queue in queues.values { queue.expire() } }

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

/// Watches and logs that are open, by flow.
final class LastingRequests: Sendable {
  struct Limits: Sendable {
    var watches: Int
    var logs: Int
  }
  private let limits: Limits
  private let open = Mutex<[String: (watches: Int, logs: Int)]>([:])

  init(_ limits: Limits) { self.limits = limits }

  var count: Int { open.withLock { $0.values.reduce(0) { $0 + $1.watches + $1.logs } } }

  func enter(_ flow: String, _ kind: FlowControl.Work.Duration) -> Bool {
    open.withLock { open in
      var entry = open[flow] ?? (0, 0)
      guard kind == .log ? entry.logs < limits.logs : entry.watches < limits.watches else { return false }
      if kind == .log { entry.logs += 1 } else { entry.watches += 1 }
      open[flow] = entry
      return true
    }
  }

  func leave(_ flow: String, _ kind: FlowControl.Work.Duration) {
    open.withLock { open in
      guard var entry = open[flow] else { return }
      if kind == .log { entry.logs -= 1 } else { entry.watches -= 1 }
      open[flow] = entry == (0, 0) ? nil : entry
    }
  }
}
