import KubernetesAPI
import KubernetesClient
import Locking

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
    /// Whose flows share what a tenant may have.
    var tenant: String?

    fileprivate var queueName: FairQueue.Name { .init(name, tenant: tenant) }
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
      seats: configuration.seats, seatsPerFlow: perFlow,
      seatsPerTenant: max(perFlow, configuration.seatsPerTenant),
      waitingPerFlow: configuration.requestsPerUser - perFlow,
      waitingPerTenant: max(1, configuration.requestsPerTenant - configuration.seatsPerTenant),
      waiting: configuration.waitingRequests, bytesPerFlow: configuration.waitingBytesPerUser,
      bytesPerTenant: configuration.waitingBytesPerTenant, bytes: configuration.waitingBytes,
      patience: configuration.requestPatience)
    // Nodes and the edge are few and trusted: one of them may have all of its level.
    var trusted = limits
    (trusted.seatsPerFlow, trusted.seatsPerTenant) = (limits.seats, limits.seats)
    (trusted.waitingPerFlow, trusted.waitingPerTenant) = (limits.waiting, limits.waiting)
    queues = [.system: FairQueue(trusted), .tenants: FairQueue(limits)]
    let bounds = LastingRequests.Limits(
      watches: configuration.watchesPerUser, logs: configuration.logsPerUser, lists: configuration.requestsPerUser)
    let ofTenants = LastingRequests.Limits(
      watches: configuration.watchesPerTenant, logs: configuration.logsPerTenant,
      lists: configuration.requestsPerTenant)
    let trustedBounds = LastingRequests.Limits(
      watches: bounds.watches * 10, logs: bounds.logs * 10, lists: bounds.lists * 10)
    longestSeat = configuration.longestSeat
    lasting = [.system: LastingRequests(trustedBounds), .tenants: LastingRequests(bounds, ofTenants: ofTenants)]
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
      guard lasting.enter(flow.queueName, work.duration) else {
        counters.limited()
        throw Self.refusal
      }
      endsLasting = { lasting.leave(flow.queueName, work.duration) }
    }
    guard await queue.enter(flow.queueName, cost: work.cost, bytes: work.bytes) else {
      endsLasting?()
      counters.limited()
      throw Self.refusal
    }
    return Permit(seat: { queue.leave(flow.queueName, cost: work.cost) }, lasting: endsLasting)
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

/// Requests that are open for long, by flow and by tenant.
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
  private typealias Counts = [FlowControl.Work.Duration: Int]
  private let limits: Limits
  private let tenantLimits: Limits?
  private let open = Mutex<(flows: [String: Counts], tenants: [String: Counts])>(([:], [:]))

  init(_ limits: Limits, ofTenants tenantLimits: Limits? = nil) {
    self.limits = limits
    self.tenantLimits = tenantLimits
  }

  /// Watches and logs that are open.
  var count: Int {
    open.withLock { $0.flows.values.reduce(0) { $0 + ($1[.watch] ?? 0) + ($1[.log] ?? 0) } }
  }

  func enter(_ name: FairQueue.Name, _ kind: FlowControl.Work.Duration) -> Bool {
    open.withLock { open in
      guard open.flows[name.flow]?[kind] ?? 0 < limits[kind] else { return false }
      if let tenant = name.tenant, let tenantLimits {
        guard open.tenants[tenant]?[kind] ?? 0 < tenantLimits[kind] else { return false }
        open.tenants[tenant, default: [:]][kind, default: 0] += 1
      }
      open.flows[name.flow, default: [:]][kind, default: 0] += 1
      return true
    }
  }

  func leave(_ name: FairQueue.Name, _ kind: FlowControl.Work.Duration) {
    open.withLock { open in
      Self.leave(&open.flows, name.flow, kind)
      if let tenant = name.tenant, tenantLimits != nil { Self.leave(&open.tenants, tenant, kind) }
    }
  }

  private static func leave(_ counts: inout [String: Counts], _ name: String, _ kind: FlowControl.Work.Duration) {
    guard let count = counts[name]?[kind] else { return }
    counts[name]?[kind] = count > 1 ? count - 1 : nil
    if counts[name]?.isEmpty == true { counts[name] = nil }
  }
}
