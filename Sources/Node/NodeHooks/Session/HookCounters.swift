import Locking

/// What the hooks did since their start.
public final class HookCounters: Sendable {
  /// Upper ends of the classes of answers' times, in microseconds.
  static let edges: [Int64] = [100, 250, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 2_000_000]

  public struct Figures: Sendable, Hashable {
    /// By class; the last one is of all that took longer.
    public var answers = [Int](repeating: 0, count: edges.count + 1)
    public var answerSeconds = 0.0
    /// Containers that were changed.
    public var adjusted = 0
    /// Containers that were not made.
    public var refused = 0
    /// Containers that were not made because no decision came in time.
    public var late = 0
    /// Hooks that failed and were left out.
    public var ignored = 0
    /// Containers of which was said only what would be.
    public var audited = 0
    /// Connections in which the runtime has told what runs: from then on it asks.
    public var connections = 0
    /// Connections that could not be made, or ended.
    public var disconnections = 0
    /// Containers that were changed while they ran.
    public var updates = 0
    public var failedUpdates = 0
    /// The runtime knows of us; it asks once `isConnected`.
    public var isRegistered = false
    public var isConnected = false
    public var policyFaults = 0
  }

  private let figures = Mutex(Figures())
  public init() {}

  public var now: Figures { figures.withLock { $0 } }

  func note(_ change: (inout Figures) -> Void) { figures.withLock { change(&$0) } }

  func answered(in time: Duration) {
    let micros = time.components.seconds * 1_000_000 + time.components.attoseconds / 1_000_000_000_000
    note {
      $0.answers[Self.edges.firstIndex { micros <= $0 } ?? Self.edges.count] += 1
      $0.answerSeconds += Double(micros) / 1_000_000
    }
  }
}
