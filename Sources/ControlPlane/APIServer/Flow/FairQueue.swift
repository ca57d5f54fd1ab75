import Collections
import Synchronization

/// Shares a number of seats among flows: whoever has had least gets the next one.
///
/// A flow is a user, or a tenant's service accounts together. Work that costs more takes more seats. Each flow has a
/// queue of its own, bounded in length and in time; a flow that fills its queue is refused and nobody else is.
/// Source: start-time fair queuing (Goyal, Vin, Cheng, SIGCOMM 1996), counted in seats.
final class FairQueue: Sendable {
  struct Limits: Sendable {
    /// Seats in all.
    var seats: Int
    /// Seats that one flow may hold, so that others find one free at once.
    var seatsPerFlow: Int
    /// Requests of one flow that may wait.
    var waitingPerFlow: Int
    /// Requests that may wait in all.
    var waiting: Int
    /// Bytes of bodies that may wait, of one flow and in all.
    var bytesPerFlow: Int
    var bytes: Int
    /// How long one may wait.
    var patience: Duration
  }

  private struct Waiter {
    let identifier: UInt64
    let cost: Int
    let bytes: Int
    let deadline: ContinuousClock.Instant
    let continuation: CheckedContinuation<Bool, Never>
  }

  private struct Flow {
    var held = 0
    /// What it has had, in seats, on the clock of all flows.
    var served: UInt64
    var waiting: Deque<Waiter> = []
    var bytes = 0
  }

  private struct State {
    var flows: [String: Flow] = [:]
    var held = 0
    var waiting = 0
    var bytes = 0
    /// What the flow had that was served last: where a flow that was away begins.
    var clock: UInt64 = 0
    var next: UInt64 = 0
  }

  private let limits: Limits
  private let state = Mutex(State())

  init(_ limits: Limits) { self.limits = limits }

  /// Seats held, and requests that wait.
  var size: (held: Int, waiting: Int) { state.withLock { ($0.held, $0.waiting) } }

  /// Waits for its turn.
  /// - Returns: whether the work may go on; if so, `leave` must follow, with the same cost.
  func enter(_ flow: String, cost: Int, bytes: Int = 0) async -> Bool {
    let cost = min(max(1, cost), limits.seatsPerFlow)
    let identifier: UInt64? = state.withLock { state in
      state.next += 1
      var entry = state.flows[flow] ?? Flow(served: state.clock)
      guard !entry.waiting.isEmpty || entry.held + cost > limits.seatsPerFlow || state.held + cost > limits.seats
      else {
        Self.seat(&entry, cost, &state)
        state.flows[flow] = entry
        return nil
      }
      return state.next
    }
    guard let identifier else { return true }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isRefused = state.withLock { state in
          var entry = state.flows[flow] ?? Flow(served: state.clock)
          guard entry.waiting.count < limits.waitingPerFlow, state.waiting < limits.waiting,
            entry.bytes + bytes <= limits.bytesPerFlow, state.bytes + bytes <= limits.bytes, !Task.isCancelled
          else { return true }
          entry.waiting.append(
            Waiter(
              identifier: identifier, cost: cost, bytes: bytes, deadline: .now + limits.patience,
              continuation: continuation))
          entry.bytes += bytes
          state.bytes += bytes
          state.waiting += 1
          state.flows[flow] = entry
          return false
        }
        if isRefused { continuation.resume(returning: false) }
        // A seat may have become free in between.
        dispatch()
      }
    } onCancel: {
      abandon(flow) { $0.identifier == identifier }
    }
  }

  func leave(_ flow: String, cost: Int) {
    let cost = min(max(1, cost), limits.seatsPerFlow)
    state.withLock { state in
      state.held -= cost
      state.flows[flow]?.held -= cost
      Self.forget(flow, &state)
    }
    dispatch()
  }

  /// Refuses whoever has waited too long.
  func expire() {
    let now = ContinuousClock.now
    for flow in state.withLock({ state in state.waiting == 0 ? [] : Array(state.flows.keys) }) {
      abandon(flow) { $0.deadline <= now }
    }
  }

  private func abandon(_ flow: String, where isMeant: (Waiter) -> Bool) {
    let gone: [Waiter] = state.withLock { state in
      guard let waiting = state.flows[flow]?.waiting, waiting.contains(where: { isMeant($0) }) else { return [] }
      let gone = waiting.filter { isMeant($0) }
      state.flows[flow]?.waiting.removeAll { isMeant($0) }
      let bytes = gone.reduce(0) { $0 + $1.bytes }
      state.flows[flow]?.bytes -= bytes
      state.bytes -= bytes
      state.waiting -= gone.count
      Self.forget(flow, &state)
      return Array(gone)
    }
    for waiter in gone { waiter.continuation.resume(returning: false) }
    if !gone.isEmpty { dispatch() }
  }

  /// Gives free seats to whoever is next.
  private func dispatch() {
    let lucky: [Waiter] = state.withLock { state in
      var lucky: [Waiter] = []
      while state.waiting > 0 {
        let next = state.flows
          .filter { _, flow in
            flow.waiting.first.map { first in first.cost + flow.held <= limits.seatsPerFlow } ?? false
          }
          .min { $0.value.served < $1.value.served }
        // Who is next waits for enough seats; others must not overtake for ever.
        guard let (name, flow) = next, let first = flow.waiting.first, state.held + first.cost <= limits.seats
        else { break }
        var entry = flow
        entry.waiting.removeFirst()
        entry.bytes -= first.bytes
        state.bytes -= first.bytes
        state.waiting -= 1
        state.clock = entry.served
        Self.seat(&entry, first.cost, &state)
        state.flows[name] = entry
        lucky.append(first)
      }
      return lucky
    }
    for waiter in lucky { waiter.continuation.resume(returning: true) }
  }

  private static func seat(_ flow: inout Flow, _ cost: Int, _ state: inout State) {
    flow.served = max(flow.served, state.clock) + UInt64(cost)
    flow.held += cost
    state.held += cost
  }

  private static func forget(_ name: String, _ state: inout State) {
    if let flow = state.flows[name], flow.held == 0, flow.waiting.isEmpty { state.flows[name] = nil }
  }
}
