import Locking

/// Calls in progress, what each waits for and since when: every call ends, by its answer or by its deadline, and whoever asks why
/// nothing goes on is told.
///
/// A call that passed its deadline is answered at once; what it was doing is cancelled and may take its time (a thread in the
/// kernel cannot be called back). It counts until then, and there are so many at most.
public final class CallRegister: Sendable {
  /// For how long something may be waited for, and why it takes its time.
  public enum Wait: Sendable, Hashable, CaseIterable {
    /// What others do first.
    case turn
    /// The disk, the kernel's mounts, a process of ours.
    case machine
    /// Bytes from a registry, or another program's answer.
    case transfer
  }

  private struct State {
    var calls: [Int: Call] = [:]
    var next = 0
    /// Since the process started.
    var timeouts = 0
    var refusals = 0
    var longest = Duration.zero

    mutating func enter(_ name: String) -> (Int, Call) {
      next += 1
      let call = Call(name)
      calls[next] = call
      return (next, call)
    }
  }

  private let patience: Duration
  private let capacity: Int
  private let state = Mutex(State())

  /// Bytes of a large layer may come for so much longer than the machine may take for anything.
  private static let transferFactor = 180

  /// - Parameters:
  ///   - patience: how long anything of this machine may take.
  ///   - capacity: calls at once.
  public init(patience: Duration = .seconds(120), capacity: Int = 1024) {
    self.patience = patience
    self.capacity = capacity
  }

  func limit(_ wait: Wait) -> Duration {
    switch wait {
    case .machine, .turn: patience
    case .transfer: patience * Self.transferFactor
    }
  }

  // MARK: Calls

  /// Makes a call that somebody waits for.
  /// - Throws: `CallTimedOut` when something was waited for too long, `CallsExhausted` if there are too many,
  ///   `CancellationError` at once when the caller is cancelled, and what the body throws.
  public func run<Result: Sendable>(_ name: String, _ body: @escaping @Sendable () async throws -> Result) async throws
    -> Result
  {
    let (id, call) = try enter(name)
    let outcome = Outcome<Result>()
    let work = Task {
      let result: Swift.Result<Result, any Error>
      do { result = .success(try await Call.$current.withValue(call) { try await body() }) } catch {
        result = .failure(error)
      }
      leave(id)
      outcome.set(result)
    }
    let watch = Task {
      while let rest = call.rest(limit: limit), !outcome.isSet {
        guard rest > .zero else {
          let error = CallTimedOut(call: name, after: call.age, waits: call.waits)
          state.withLock { $0.timeouts += 1 }
          call.abandon()
          outcome.set(.failure(error))
          return work.cancel()
        }
        try await Task.sleep(for: min(rest, Self.look))
      }
    }
    defer { watch.cancel() }
    return try await withTaskCancellationHandler {
      try await outcome.value()
    } onCancel: {
      call.abandon()
      work.cancel()
      outcome.set(.failure(CancellationError()))
    }
  }

  /// How often is looked what a call waits for.
  private static let look = Duration.milliseconds(500)

  /// Notes work that has a deadline of its own.
  public func track<Result: Sendable>(
    _ name: String, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
  ) async rethrows -> Result {
    let (id, call) = state.withLock { $0.enter(name) }
    defer { leave(id) }
    return try await Call.$current.withValue(call) { try await body() }
  }

  /// Says what the call that this is part of waits for, while it does.
  public static func waiting<Result: Sendable>(
    _ kind: Wait, _ what: @autoclosure () -> String, isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Result
  ) async rethrows -> Result {
    guard let call = Call.current else { return try await body() }
    let id = call.begin(kind, what())
    defer { call.end(id) }
    return try await body()
  }

  private func enter(_ name: String) throws(CallsExhausted) -> (Int, Call) {
    let entered = state.withLock { state -> (Int, Call)? in
      guard state.calls.count < capacity else {
        state.refusals += 1
        return nil
      }
      return state.enter(name)
    }
    guard let entered else { throw CallsExhausted(limit: capacity) }
    return entered
  }

  private func leave(_ id: Int) {
    state.withLock { state in
      guard let call = state.calls.removeValue(forKey: id) else { return }
      state.longest = max(state.longest, call.age)
    }
  }

  // MARK: Looking

  /// Calls in progress, the longest first.
  public var calls: [CallStatus] {
    let calls = state.withLock { Array($0.calls.values) }
    return calls.map { CallStatus(name: $0.name, age: $0.age, isAbandoned: $0.isAbandoned, waits: $0.waits) }
      .sorted { $0.age > $1.age }
  }

  /// Since the process started: calls that passed a deadline, calls that were refused as too many, and the longest one.
  public var totals: (timeouts: Int, refusals: Int, longest: Duration) {
    state.withLock { ($0.timeouts, $0.refusals, $0.longest) }
  }
}

/// A call in progress.
public struct CallStatus: Sendable, Hashable {
  public var name: String
  public var age: Duration
  /// Whoever called has been answered.
  public var isAbandoned: Bool
  public var waits: [CallWait]
}

/// Something that a call waits for.
public struct CallWait: Sendable, Hashable, CustomStringConvertible {
  public var kind: CallRegister.Wait
  public var what: String
  public var age: Duration

  public var description: String { "\(what) (for \(age.rounded))" }
}

/// A call took too long.
public struct CallTimedOut: Error, Sendable, Hashable, CustomStringConvertible {
  public var call: String
  public var after: Duration
  /// The last one it is that took so long.
  public var waits: [CallWait]

  public var description: String {
    let reasons = waits.isEmpty ? "the machine's processors" : waits.map(\.description).joined(separator: "; ")
    return "\(call) was given up after \(after.rounded); it waited for \(reasons); it is safe to repeat"
  }
}

/// There are too many calls.
public struct CallsExhausted: Error, Sendable, Hashable, CustomStringConvertible {
  public var limit: Int
  public var description: String {
    "\(limit) calls are in progress already; see `nagaya images doctor` for what they wait for, and try again"
  }
}

/// What is known of a call.
private final class Call: Sendable {
  @TaskLocal static var current: Call?

  private struct Waiting {
    var kind: CallRegister.Wait
    var what: String
    var since: ContinuousClock.Instant
  }

  private struct State {
    var waits: [Int: Waiting] = [:]
    var next = 0
    var isAbandoned = false
  }

  let name: String
  private let since = ContinuousClock.now
  private let state = Mutex(State())

  init(_ name: String) { self.name = name }

  var age: Duration { .now - since }
  var isAbandoned: Bool { state.withLock { $0.isAbandoned } }
  func abandon() { state.withLock { $0.isAbandoned = true } }

  func begin(_ kind: CallRegister.Wait, _ what: String) -> Int {
    state.withLock { state in
      state.next += 1
      state.waits[state.next] = Waiting(kind: kind, what: what, since: .now)
      return state.next
    }
  }

  func end(_ id: Int) { state.withLock { _ = $0.waits.removeValue(forKey: id) } }

  /// In the order in which they began.
  var waits: [CallWait] {
    state.withLock { state in
      state.waits.sorted { $0.key < $1.key }.map {
        CallWait(kind: $0.value.kind, what: $0.value.what, age: .now - $0.value.since)
      }
    }
  }

  /// How long it may still go on as it is.
  func rest(limit: (CallRegister.Wait) -> Duration) -> Duration? {
    let waits = waits
    // A wait for what others do first may be for a transfer of theirs, and then ends with that.
    let overall = limit(.transfer) - age
    return (waits.map { limit($0.kind) - $0.age } + [overall]).min()
  }
}

/// Set once; one waits for it.
private final class Outcome<Value: Sendable>: Sendable {
  private struct State {
    var result: Result<Value, any Error>?
    var waiting: CheckedContinuation<Value, any Error>?
  }

  private let state = Mutex(State())

  var isSet: Bool { state.withLock { $0.result != nil } }

  func set(_ result: Result<Value, any Error>) {
    let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
      guard state.result == nil else { return nil }
      state.result = result
      defer { state.waiting = nil }
      return state.waiting
    }
    waiting?.resume(with: result)
  }

  func value() async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let result = state.withLock { state -> Result<Value, any Error>? in
        if state.result == nil { state.waiting = continuation }
        return state.result
      }
      if let result { continuation.resume(with: result) }
    }
  }
}

extension Duration {
  /// For people.
  fileprivate var rounded: String {
    let seconds = Double(components.seconds) + Double(components.attoseconds) / 1e18
    return seconds < 10 ? "\((seconds * 10).rounded() / 10) s" : "\(components.seconds) s"
  }
}
