import BoundedNumbers
import JSONDocument

/// When a probe asks next, and what its answers add up to (core/v1 `Probe`).
///
/// A readiness or startup probe that has not succeeded yet asks after 50 ms, 100 ms, 200 ms, … up to its period: an app
/// that starts quickly is ready quickly, and one that starts slowly is not asked more often than it wants.
struct ProbeSchedule: Hashable, Sendable {
  enum Kind: String, Sendable {
    case startup
    case readiness
    case liveness
  }

  let kind: Kind
  let initialDelay: Duration
  let period: Duration
  let timeout: Duration
  let successThreshold: Int
  let failureThreshold: Int

  /// `nil` until a threshold was reached.
  private(set) var isSuccessful: Bool?
  private var isFirstWait = true
  private var streak = 0
  private var lastAnswer: Bool?
  private var quickWait = Duration.milliseconds(50)

  init(_ kind: Kind, _ probe: JSONValue) {
    self.kind = kind
    initialDelay = .seconds(clamping: max(0, probe["initialDelaySeconds"].int ?? 0))
    period = .seconds(clamping: max(1, probe["periodSeconds"].int ?? 10))
    timeout = .seconds(clamping: max(1, probe["timeoutSeconds"].int ?? 1))
    successThreshold = max(1, probe["successThreshold"].int ?? 1)
    failureThreshold = max(1, probe["failureThreshold"].int ?? 3)
  }

  /// How long to wait before the next question.
  mutating func nextDelay() -> Duration {
    if isFirstWait {
      isFirstWait = false
      if kind != .liveness || initialDelay > .zero { return initialDelay }
      return .zero
    }
    guard kind != .liveness, isSuccessful != true else { return period }
    defer { quickWait = min(quickWait * 2, period) }
    return min(quickWait, period)
  }

  /// Takes an answer.
  /// - Returns: the new result if this answer changed it.
  mutating func record(_ success: Bool) -> Bool? {
    streak = lastAnswer == success ? streak.clampedAdding(1) : 1
    lastAnswer = success
    // Quick questions at the beginning must not use up the failures that a startup probe allows in its periods.
    let isQuick = kind != .liveness && isSuccessful != true && quickWait < period
    if !success, isQuick, kind == .startup {
      streak = 0
      return nil
    }
    guard streak >= (success ? successThreshold : failureThreshold), isSuccessful != success else { return nil }
    isSuccessful = success
    return success
  }
}
