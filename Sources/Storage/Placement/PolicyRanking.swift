import Locking

/// Ranks the nodes of a snapshot by any policy that needs to know no more than what is free.
///
/// Where the policy draws lots among equals, so does the first place of the ranking; the others follow by name.
public final class PolicyRanking: SnapshotRanking {
  private struct Chooser: Sendable {
    var policy: any PlacementPolicy
    var classes = SnapshotClasses()
  }

  private let chooser: Mutex<Chooser>

  public init(_ policy: any PlacementPolicy) { chooser = Mutex(Chooser(policy: policy)) }

  public func rank(_ demand: [String: [Int64]], among nodes: [NodePools]) -> [PlacementChoice] {
    let candidates = nodes.filter(\.isCandidate)
    return chooser.withLock { chooser in
      let request = chooser.classes.demand(demand)
      let state = chooser.classes.state(of: candidates)
      chooser.policy.rebuild(from: state)
      guard let first = chooser.policy.choose(request, in: state) else { return [] }
      let others = chooser.policy.rank(request, in: state).map(\.node).filter { $0 != first }
      let reasons = PlacementReasons(request, [], RequestStatistics(classCount: 0), state)
      return ([first] + others).map { PlacementChoice(node: state.names[$0], reason: reasons.text(for: $0)) }
    }
  }
}

/// The policies that can rank a snapshot, by the names used on the command line. The others ask how large pools are,
/// how many volumes they hold, or what was asked for in an engine of their own.
public enum SnapshotPolicy: String, Sendable, CaseIterable {
  /// What the product uses, with its own settings: `StandardPolicy.standard`.
  case expectedLoss = "expected-loss"
  case mostFree = "most-free"
  case bestFit = "best-fit"
  case kep4049 = "kep-4049"
  case topoLVM = "topolvm"
  case random = "random"

  /// A fresh ranking that has learned nothing yet.
  /// - Parameter seed: where the policy draws lots.
  public func ranking(seed: UInt64 = 1) -> any SnapshotRanking {
    switch self {
    case .expectedLoss: ExpectedLossRanking()
    case .mostFree: MostFreePlacement()
    case .bestFit: PolicyRanking(BestFitPolicy())
    case .kep4049: PolicyRanking(KEP4049Policy(seed: seed))
    case .topoLVM: PolicyRanking(TopoLVMPolicy(seed: seed))
    case .random: PolicyRanking(RandomPolicy(seed: seed))
    }
  }
}
