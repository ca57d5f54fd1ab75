import Locking
import OCI

/// Lets a bounded number of requests at a host run, those first that somebody waits for.
///
/// The bound is halved when the host says that it has too much to do, and grows again by one with every round of answers
/// (additive increase, multiplicative decrease: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for
/// Congestion Avoidance", 1989). Prefetches leave a quarter of the places free and background half, so that a reader
/// who comes later finds one.
final class HostGate: Sendable {
  enum Outcome { case answered, overloaded, failed }

  private struct Waiter {
    let number: Int
    let resume: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var limit: Double
    var running = 0
    var nextNumber = 0
    /// By urgency, each in order of arrival.
    var waiting: [FetchUrgency: [Waiter]] = [:]
    var lastDecrease: ContinuousClock.Instant?

    func admits(_ urgency: FetchUrgency) -> Bool {
      let places = max(1, Int(limit))
      return switch urgency {
      case .demand: running < places
      case .prefetch: running < max(1, places - places / 4)
      case .background: running < max(1, places / 2)
      }
    }

    /// Takes those out of the queues that may run now.
    mutating func admitted() -> [Waiter] {
      var admitted: [Waiter] = []
      for urgency in [FetchUrgency.demand, .prefetch, .background] {
        while waiting[urgency]?.isEmpty == false, admits(urgency), let next = waiting[urgency]?.removeFirst() {
          running += 1
          admitted.append(next)
        }
        if waiting[urgency]?.isEmpty == false { break }
      }
      return admitted
    }
  }

  private let maximum: Double
  private let state: Mutex<State>

  init(limit: Int) {
    maximum = Double(limit)
    state = Mutex(State(limit: Double(limit)))
  }

  /// How many requests may run now.
  var limit: Int { state.withLock { max(1, Int($0.limit)) } }

  /// How many wait for a place.
  var waiting: Int { state.withLock { $0.waiting.values.reduce(0) { $0 + $1.count } } }

  /// Waits for a place. Every return must be followed by one `leave`.
  /// - Throws: `CancellationError`.
  func enter(_ urgency: FetchUrgency) async throws {
    let number: Int? = state.withLock { state in
      let isFirst = FetchUrgency.allWaiting(above: urgency).allSatisfy { state.waiting[$0, default: []].isEmpty }
      if isFirst, state.admits(urgency) {
        state.running += 1
        return nil
      }
      state.nextNumber += 1
      return state.nextNumber
    }
    guard let number else { return }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let (ready, isCancelled) = state.withLock { state -> ([Waiter], Bool) in
          if Task.isCancelled { return ([], true) }
          state.waiting[urgency, default: []].append(Waiter(number: number, resume: continuation))
          return (state.admitted(), false)
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
        for waiter in ready { waiter.resume.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state -> Waiter? in
        guard let index = state.waiting[urgency]?.firstIndex(where: { $0.number == number }) else { return nil }
        return state.waiting[urgency]?.remove(at: index)
      }
      waiter?.resume.resume(throwing: CancellationError())
    }
  }

  /// Gives the place back.
  func leave(_ outcome: Outcome) {
    let ready = state.withLock { state in
      state.running -= 1
      switch outcome {
      case .answered: state.limit = min(maximum, state.limit + 1 / state.limit)
      case .overloaded:
        // Answers to requests that were sent together tell one thing, not many.
        let now = ContinuousClock.now
        if state.lastDecrease.map({ now - $0 > .seconds(1) }) ?? true {
          state.limit = max(1, state.limit / 2)
          state.lastDecrease = now
        }
      case .failed: break
      }
      return state.admitted()
    }
    for waiter in ready { waiter.resume.resume() }
  }
}

extension FetchUrgency {
  /// This and more urgent ones.
  fileprivate static func allWaiting(above urgency: FetchUrgency) -> [FetchUrgency] {
    [.demand, .prefetch, .background].filter { $0 >= urgency }
  }
}
