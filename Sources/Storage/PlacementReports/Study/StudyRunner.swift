import Foundation
import Locking
import Placement
import PlacementSimulator

/// Runs a study on all cores; the outcome does not depend on how many there are.
public struct StudyRunner: Sendable {
  /// How far it is: runs of one seed done, of so many.
  public struct Progress: Sendable, Hashable {
    public var done: Int
    public var total: Int
    public var words: String
  }

  /// Makes a fresh policy for a number of device classes and a seed.
  public typealias Making = @Sendable (StandardPolicy, Int, UInt64) -> any PlacementPolicy

  /// Policies at a time.
  public var width: Int
  private let making: Making
  private let report: @Sendable (Progress) -> Void

  public init(
    width: Int = ProcessInfo.processInfo.activeProcessorCount,
    progress: @escaping @Sendable (Progress) -> Void = { _ in },
    making: @escaping Making = { $0.make(classCount: $1, seed: $2) }
  ) {
    self.width = max(1, width)
    self.making = making
    report = progress
  }

  private enum Unit: Sendable {
    case policy(Int)
    case freeMoves
    case bounds
  }

  private enum Answer: Sendable {
    case policy(Int, StudyResult.Outcome)
    case freeMoves(StudyResult.Outcome)
    case bounds(StudyResult.Bounds)
  }

  /// - Parameter variant: a study of the same events, which differs in the moves that policies may make: what is the same
  ///   whatever policies do is taken from it.
  /// - Throws: what the workload or the simulator throws; `CancellationError`.
  public func run(_ study: Study, like variant: StudyResult? = nil) async throws -> StudyResult {
    // What takes longest is not the last to begin.
    let units = (variant == nil ? [Unit.bounds, .freeMoves] : []) + study.policies.indices.map(Unit.policy)
    let steps = Steps(total: units.count * study.seeds.count, report)
    let largeBytes = try WorkloadProfile(study.workload, seed: study.seeds.first ?? 1).quantile(0.99)
    let solver = StudySolver(
      study: study, making: making, largeBytes: largeBytes, requests: try requests(study), steps: steps)
    var result = StudyResult(study: study, outcomes: [])
    if let variant { (result.bounds, result.freeMoves) = (variant.bounds, variant.freeMoves) }
    var outcomes: [Int: StudyResult.Outcome] = [:]
    try await withThrowingTaskGroup(of: Answer.self) { group in
      var waiting = units[...]
      func start() {
        guard let unit = waiting.popFirst() else { return }
        group.addTask {
          switch unit {
          case .policy(let index): .policy(index, try solver.outcome(study.policies[index]))
          case .freeMoves: .freeMoves(try solver.freeMoves())
          case .bounds: .bounds(try solver.bounds())
          }
        }
      }
      for _ in 0..<width { start() }
      while let answer = try await group.next() {
        switch answer {
        case .policy(let index, let outcome): outcomes[index] = outcome
        case .freeMoves(let outcome): result.freeMoves = outcome
        case .bounds(let bounds): result.bounds = bounds
        }
        start()
      }
    }
    result.outcomes = study.policies.indices.compactMap { outcomes[$0] }
    spreadBounds(&result)
    return result
  }

  /// Every run carries the bounds of its events.
  private func spreadBounds(_ result: inout StudyResult) {
    for index in result.bounds.runs.indices {
      if let free = result.freeMoves, index < free.runs.count {
        result.bounds.runs[index].pendingWithFreeMoves = free.runs[index].counts.pending
        result.bounds.runs[index].failedExpansionsWithFreeMoves = free.runs[index].counts.failedExpansions
      }
      for outcome in result.outcomes.indices where index < result.outcomes[outcome].runs.count {
        result.outcomes[outcome].runs[index].bounds = result.bounds.runs[index]
      }
    }
  }

  private func requests(_ study: Study) throws -> Int {
    guard study.search == .spare, case .history(let workload, _, _, _) = study.scenario else { return 0 }
    return try WorkloadProfile(workload, seed: 1, limit: .max).requests
  }

  /// Counts the steps that are done, and tells of each in order.
  final class Steps: Sendable {
    private let total: Int
    private let done = Mutex(0)
    private let report: @Sendable (Progress) -> Void

    init(total: Int, _ report: @escaping @Sendable (Progress) -> Void) {
      self.total = total
      self.report = report
      report(Progress(done: 0, total: total, words: ""))
    }

    func finish(_ words: String) {
      done.withLock { done in
        done += 1
        report(Progress(done: done, total: total, words: words))
      }
    }
  }
}
