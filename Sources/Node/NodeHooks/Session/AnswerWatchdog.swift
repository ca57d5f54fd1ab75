import Dispatch
import Locking
import NRI

/// Sees to it that a runtime has its answer in time, whatever a hook does.
///
/// A runtime that waits for two seconds drops the plugin and makes the container without hooks. So each decision is made on a
/// thread that nobody else waits for, and one that does not come is a refusal: the container is asked for again, and the
/// connection stays.
final class AnswerWatchdog: Sendable {
  typealias Answer = Result<HookDecision, HookRefusal>

  /// How long a decision may take: half of what runtimes wait.
  private let limit: Duration
  private struct Question {
    let due: ContinuousClock.Instant
    let answer: CheckedContinuation<Answer, Never>
  }
  private struct State {
    var next: UInt64 = 0
    /// Decisions that are under way, or hang.
    var running = 0
    var questions: [UInt64: Question] = [:]
  }
  private let state = Mutex(State())
  private let threads = DispatchQueue(label: "dev.nagaya.hooks.decisions", attributes: .concurrent)
  /// Decisions that hang keep their threads; with so many nothing more is begun.
  private static let most = 48

  init(limit: Duration = .seconds(1)) { self.limit = limit }

  func decide(_ body: @escaping @Sendable () -> Answer) async -> Answer {
    await withCheckedContinuation { continuation in
      let number: UInt64? = state.withLock { state in
        guard state.running < Self.most else { return nil }
        state.running += 1
        state.next += 1
        state.questions[state.next] = Question(due: .now + limit, answer: continuation)
        return state.next
      }
      guard let number else { return continuation.resume(returning: .failure(Self.late)) }
      threads.async {
        let answer = body()
        let question = self.state.withLock { state in
          state.running -= 1
          return state.questions.removeValue(forKey: number)
        }
        // Who asked may have its answer already.
        question?.answer.resume(returning: answer)
      }
    }
  }

  /// Answers for decisions that do not come, until the task is cancelled.
  /// - Parameter note: told of how many there were.
  func run(_ note: @Sendable (Int) -> Void) async {
    while (try? await Task.sleep(for: limit / 10)) != nil {
      let now = ContinuousClock.now
      let late = state.withLock { state in
        let late = state.questions.filter { $0.value.due <= now }
        for number in late.keys { state.questions[number] = nil }
        return late.values.map(\.answer)
      }
      if !late.isEmpty { note(late.count) }
      for answer in late { answer.resume(returning: .failure(Self.late)) }
    }
  }

  private static let late = HookRefusal(
    hook: "watchdog", reason: "the hooks did not decide in time; the container is not made without them, try again")
}
