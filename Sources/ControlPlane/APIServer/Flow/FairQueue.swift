import Collections
import Locking

/// Shares a number of seats among tenants, and each one's share among its flows: whoever has had least gets the next one.
///
/// A flow is a user, or a tenant's service accounts together; a user without a tenant has a share as a tenant has. Work that
/// costs more takes more seats. Each flow has a queue of its own, bounded in length and in time, and so has a tenant; who
/// fills it is refused and nobody else is.
/// Source: start-time fair queuing (Goyal, Vin, Cheng, SIGCOMM 1996), counted in seats.
final class FairQueue: Sendable {
  struct Limits: Sendable {
    /// Seats in all.
    var seats: Int
    /// Seats that one flow may hold, so that others find one free at once.
    var seatsPerFlow: Int
    /// Seats that one tenant's flows may hold together.
    var seatsPerTenant: Int
    /// Requests of one flow that may wait.
    var waitingPerFlow: Int
    /// Requests of one tenant that may wait.
    var waitingPerTenant: Int
    /// Requests that may wait in all.
    var waiting: Int
    /// Bytes of bodies that may wait, of one flow, of one tenant and in all.
    var bytesPerFlow: Int
    var bytesPerTenant: Int
    var bytes: Int
    /// How long one may wait.
    var patience: Duration
  }

  /// Whose turn it may be: a flow, and the tenant that it is of.
  struct Name: Sendable, Hashable {
    let flow: String
    let tenant: String?

    init(_ flow: String, tenant: String? = nil) {
      self.flow = flow
      self.tenant = tenant
    }
    /// Who shares with all others: the tenant, or the flow for itself.
    fileprivate var share: Share { tenant.map { .tenant($0) } ?? .flow(flow) }
  }

  fileprivate enum Share: Hashable {
    case tenant(String)
    case flow(String)
  }

  private struct Waiter {
    let identifier: UInt64
    let name: Name
    let cost: Int
    let bytes: Int
    let deadline: ContinuousClock.Instant
    let continuation: CheckedContinuation<Bool, Never>
  }

  /// What a flow or a share holds, waits for and has had.
  private struct Account {
    var held = 0
    /// What it has had, in seats, on the clock of all.
    var served: UInt64
    var waiting = 0
    var bytes = 0

    var isIdle: Bool { held == 0 && waiting == 0 }

    mutating func seat(_ cost: Int, clock: UInt64) {
      served = max(served, clock) + UInt64(cost)
      held += cost
    }
    mutating func wait(_ waiter: Waiter) {
      waiting += 1
      bytes += waiter.bytes
    }
    mutating func waitNoMore(_ waiter: Waiter) {
      waiting -= 1
      bytes -= waiter.bytes
    }
  }

  private struct Flow {
    var account: Account
    var waiting: Deque<Waiter> = []
  }

  private struct State {
    var flows: [String: Flow] = [:]
    var shares: [Share: Account] = [:]
    var all = Account(served: 0)
    /// What the share and the flow had that were served last: where those that were away begin.
    var clock: UInt64 = 0
    var flowClock: UInt64 = 0
    var next: UInt64 = 0

    func flow(_ name: Name) -> Flow { flows[name.flow] ?? Flow(account: Account(served: flowClock)) }
    func share(_ name: Name) -> Account { shares[name.share] ?? Account(served: clock) }

    mutating func seat(_ name: Name, _ cost: Int) {
      var (flow, share) = (flow(name), share(name))
      flow.account.seat(cost, clock: flowClock)
      share.seat(cost, clock: clock)
      flows[name.flow] = flow
      shares[name.share] = share
      all.held += cost
    }
    mutating func append(_ waiter: Waiter) {
      var (flow, share) = (flow(waiter.name), share(waiter.name))
      flow.waiting.append(waiter)
      flow.account.wait(waiter)
      share.wait(waiter)
      flows[waiter.name.flow] = flow
      shares[waiter.name.share] = share
      all.wait(waiter)
    }
    /// After a waiter has left its flow's queue.
    mutating func waitsNoMore(_ waiter: Waiter) {
      flows[waiter.name.flow]?.account.waitNoMore(waiter)
      shares[waiter.name.share]?.waitNoMore(waiter)
      all.waitNoMore(waiter)
    }
    mutating func forgetIfIdle(_ name: Name) {
      if flows[name.flow]?.account.isIdle == true { flows[name.flow] = nil }
      if shares[name.share]?.isIdle == true { shares[name.share] = nil }
    }
  }

  private let limits: Limits
  private let state = Mutex(State())

  init(_ limits: Limits) { self.limits = limits }

  /// Seats held, and requests that wait.
  var size: (held: Int, waiting: Int) { state.withLock { ($0.all.held, $0.all.waiting) } }

  /// Waits for its turn.
  /// - Returns: whether the work may go on; if so, `leave` must follow, with the same cost.
  func enter(_ name: Name, cost: Int, bytes: Int = 0) async -> Bool {
    let cost = limited(cost)
    let identifier: UInt64? = state.withLock { state in
      state.next += 1
      guard state.flow(name).waiting.isEmpty, hasRoom(state, name, cost), state.all.held + cost <= limits.seats else {
        return state.next
      }
      state.seat(name, cost)
      return nil
    }
    guard let identifier else { return true }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isRefused = state.withLock { state in
          let (flow, share) = (state.flow(name).account, state.share(name))
          let isTenantFull =
            name.tenant != nil
            && (share.waiting >= limits.waitingPerTenant || share.bytes + bytes > limits.bytesPerTenant)
          guard !isTenantFull, flow.waiting < limits.waitingPerFlow, flow.bytes + bytes <= limits.bytesPerFlow,
            state.all.waiting < limits.waiting, state.all.bytes + bytes <= limits.bytes, !Task.isCancelled
          else { return true }
          state.append(
            Waiter(
              identifier: identifier, name: name, cost: cost, bytes: bytes, deadline: .now + limits.patience,
              continuation: continuation))
          return false
        }
        if isRefused { continuation.resume(returning: false) }
        // A seat may have become free in between.
        dispatch()
      }
    } onCancel: {
      abandon(name.flow) { $0.identifier == identifier }
    }
  }

  func leave(_ name: Name, cost: Int) {
    let cost = limited(cost)
    state.withLock { state in
      state.all.held -= cost
      state.flows[name.flow]?.account.held -= cost
      state.shares[name.share]?.held -= cost
      state.forgetIfIdle(name)
    }
    dispatch()
  }

  /// Refuses whoever has waited too long.
  func expire() {
    let now = ContinuousClock.now
    for flow in state.withLock({ state in state.all.waiting == 0 ? [] : Array(state.flows.keys) }) {
      abandon(flow) { $0.deadline <= now }
    }
  }

  private func limited(_ cost: Int) -> Int { min(max(1, cost), limits.seatsPerFlow, limits.seatsPerTenant) }

  /// Whether a flow and its tenant may hold that many seats more.
  private func hasRoom(_ state: State, _ name: Name, _ cost: Int) -> Bool {
    state.flow(name).account.held + cost <= limits.seatsPerFlow
      && (name.tenant == nil || state.share(name).held + cost <= limits.seatsPerTenant)
  }

  private func abandon(_ flow: String, where isMeant: (Waiter) -> Bool) {
    let gone: [Waiter] = state.withLock { state in
      guard let waiting = state.flows[flow]?.waiting, waiting.contains(where: { isMeant($0) }) else { return [] }
      let gone = waiting.filter { isMeant($0) }
      state.flows[flow]?.waiting.removeAll { isMeant($0) }
      for waiter in gone {
        state.waitsNoMore(waiter)
        state.forgetIfIdle(waiter.name)
      }
      return Array(gone)
    }
    for waiter in gone { waiter.continuation.resume(returning: false) }
    if !gone.isEmpty { dispatch() }
  }

  /// Gives free seats to whoever is next.
  private func dispatch() {
    let lucky: [Waiter] = state.withLock { state in
      var lucky: [Waiter] = []
      while state.all.waiting > 0 {
        var next: (served: (UInt64, UInt64), waiter: Waiter)?
        for flow in state.flows.values {
          guard let first = flow.waiting.first, hasRoom(state, first.name, first.cost) else { continue }
          let served = (state.share(first.name).served, flow.account.served)
          if next.map({ served < $0.served }) ?? true { next = (served, first) }
        }
        // Who is next waits for enough seats; others must not overtake for ever.
        guard let next, state.all.held + next.waiter.cost <= limits.seats else { break }
        state.flows[next.waiter.name.flow]?.waiting.removeFirst()
        state.waitsNoMore(next.waiter)
        (state.clock, state.flowClock) = (next.served.0, max(state.flowClock, next.served.1))
        state.seat(next.waiter.name, next.waiter.cost)
        lucky.append(next.waiter)
      }
      return lucky
    }
    for waiter in lucky { waiter.continuation.resume(returning: true) }
  }
}
