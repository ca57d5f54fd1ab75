/// Hooks in their order, as one.
public struct HookChain: Sendable {
  /// What all hooks together want.
  public struct Outcome: Sendable, Hashable {
    public var adjustment = Adjustment()
    /// Hooks that failed and may: their part is missing.
    public var ignored: [HookRefusal] = []
  }

  public let hooks: [Hook]

  public init(_ hooks: [Hook]) { self.hooks = hooks }

  /// Asks every hook, and finds conflicts and passed bounds before anything is sent.
  /// - Throws: `HookRefusal` of a hook whose failure is the container's.
  public func run(_ pod: NRIPodSandbox, _ container: NRIContainer) throws(HookRefusal) -> Outcome {
    var ignored: [HookRefusal] = []
    var answers: [(hook: Hook, adjustment: Adjustment)] = []
    func fail(_ hook: Hook, _ reason: String) throws(HookRefusal) {
      let refusal = HookRefusal(hook: hook.name, reason: reason)
      guard hook.failure(pod, container) == .ignore else { throw refusal }
      ignored.append(refusal)
    }
    for hook in hooks {
      do { answers.append((hook, try hook.adjust(pod, container))) } catch { try fail(hook, "\(error)") }
    }
    // A hook that is left out takes everything that it wanted with it, so the rest is put together anew.
    while true {
      var sum = Adjustment()
      var fault: (index: Int, reason: String)?
      for (index, answer) in answers.enumerated() {
        do throws(AdjustmentConflict) { try sum.merge(answer.adjustment) } catch {
          fault = (index, error.description)
          break
        }
      }
      fault = fault ?? Self.passedBound(sum, answers.map(\.adjustment))
      guard let fault else {
        sum.keepWithinBounds(container)
        return Outcome(adjustment: sum, ignored: ignored)
      }
      try fail(answers.remove(at: fault.index).hook, fault.reason)
    }
  }

  /// - Returns: which of the answers wants more than a bound allows, and of what.
  private static func passedBound(_ sum: Adjustment, _ answers: [Adjustment]) -> (index: Int, reason: String)? {
    for (field, (bound, reason)) in sum.bounds.sorted(by: { $0.key < $1.key }) {
      guard let entry = sum.entries[field], entry.strength == .wanted, bound.isPassed(by: entry.change) else {
        continue
      }
      guard let index = answers.firstIndex(where: { $0.entries[field] == entry }) else { continue }
      return (index, "\(entry.change) (\(entry.reason)) is more than \(bound) (\(reason))")
    }
    return nil
  }
}

extension Adjustment.Bound: CustomStringConvertible {
  public var description: String {
    switch self {
    case .rlimit(_, let most): "the \(Rlimit.text(most)) that is allowed"
    case .memory(let most), .pids(let most): "the \(most) that are allowed"
    case .cpu(let most): "the \(most)m that are allowed"
    case .oomScore(let least): "is allowed: \(least) at least"
    }
  }

  func isPassed(by change: Adjustment.Change) -> Bool {
    switch (self, change) {
    case (.rlimit(_, let most), .rlimit(let limit)): limit.hard > most || limit.soft > most
    case (.memory(let most), .memory(let bytes)): bytes > most || bytes < 0
    case (.cpu(let most), .cpu(let milli)): milli > most || milli < 0
    case (.pids(let most), .pids(let count)): count > most || count < 0
    case (.oomScore(let least), .oomScore(let score)): score < least
    default: false
    }
  }
}

extension Adjustment {
  /// Brings what is there by default, or by the container itself, down to the bounds.
  mutating func keepWithinBounds(_ container: NRIContainer) {
    for (field, (bound, reason)) in bounds {
      if let entry = entries[field] {
        guard bound.isPassed(by: entry.change) else { continue }
        if let change = bound.edge(of: entry.change) { replace(change, because: reason) }
      } else if bound.isPassed(in: container), let change = bound.edge(of: nil) {
        replace(change, because: reason)
      }
    }
  }
}

extension Adjustment.Bound {
  /// The change that keeps to the bound, in the place of one that does not.
  fileprivate func edge(of change: Adjustment.Change?) -> Adjustment.Change? {
    switch (self, change) {
    case (.rlimit(let kind, let most), .rlimit(let limit)?):
      .rlimit(Rlimit(kind, soft: min(limit.soft, most), hard: min(limit.hard, most)))
    case (.rlimit, _): nil
    case (.memory(let most), _): .memory(most)
    case (.cpu(let most), _): .cpu(milli: most)
    case (.pids(let most), _): .pids(most)
    case (.oomScore(let least), _): .oomScore(least)
    }
  }

  /// Whether the container has more by itself; no limit at all is more.
  private func isPassedValue(_ value: Int64?, _ most: Int64) -> Bool { value.map { $0 <= 0 || $0 > most } ?? true }

  fileprivate func isPassed(in container: NRIContainer) -> Bool {
    let resources = container.linux.resources
    switch self {
    case .rlimit: return false
    case .memory(let most):
      return isPassedValue(resources.memory.hasLimit ? resources.memory.limit.value : nil, most)
    case .cpu(let most): return isPassedValue(resources.cpu.milli, most)
    case .pids(let most): return isPassedValue(resources.hasPids ? resources.pids.limit : nil, most)
    case .oomScore(let least):
      return (container.linux.hasOomScoreAdj ? container.linux.oomScoreAdj.value : 0) < least
    }
  }
}

extension NRILinuxCPU {
  /// Thousandths of a processor; `nil`: as much as there is.
  public var milli: Int64? {
    guard hasQuota, quota.value > 0 else { return nil }
    let period = hasPeriod && period.value > 0 ? Double(period.value) : 100_000
    let milli = Double(quota.value) * 1000 / period
    return milli < 9e15 ? Int64(milli.rounded(.up)) : .max
  }
}
