import Placement
import PlacementSimulator

/// A study's figures as rows of words, one policy a row.
public struct StudyTable: Sendable, Hashable {
  public var head: [String]
  public var rows: [[String]]

  public init(_ result: StudyResult) {
    var columns: [(String, (StudyResult.Outcome) -> String)] = [("POLICY", { $0.policy.rawValue })]
    if result.hasSpares {
      columns.append(("SPARE NEEDED", { Self.share($0.spare) ?? Self.partly($0.spares) }))
    }
    if result.hasNodes {
      columns.append(("NODES NEEDED", { Self.count($0.nodesNeeded) ?? "not found" }))
    }
    columns.append(("PENDING", { Self.share($0.estimate(\.counts.pendingRate)) ?? "–" }))
    columns.append(
      ("PENDING \(Self.large(result))", { Self.share($0.estimate(Self.largeRate)) ?? "–" }))
    if result.hasExpansions {
      columns.append(("FAILED EXPANSIONS", { Self.share($0.estimate(\.counts.failedExpansionRate)) ?? "–" }))
    }
    if result.hasMoves { columns.append(("MOVED", { Self.share($0.estimate(\.counts.movedRate)) ?? "–" })) }
    columns.append(("STRANDED", { Self.share($0.estimate { $0.mean(\.stranded) }) ?? "–" }))
    columns.append(("SLOTS", { Self.count($0.estimate { $0.mean { Double($0.slots) } }) ?? "–" }))
    head = columns.map(\.0)
    rows = result.outcomes.map { outcome in columns.map { $0.1(outcome) } }
    if result.hasNodes, let bound = result.bounds.nodesL2 {
      // Martello and Toth's L2: no policy, and no amount of moving, needs fewer.
      rows.append(columns.map { $0.0 == "POLICY" ? "bound" : $0.0 == "NODES NEEDED" ? Whole.text(bound) : "" })
    }
  }

  private static func large(_ result: StudyResult) -> String { "≥ \(Bytes.text(result.largeBytes))" }

  static func largeRate(_ result: SimulationResult) -> Double {
    result.counts.largeRequests == 0 ? 0 : Double(result.counts.largePending) / Double(result.counts.largeRequests)
  }

  /// `15.8 % ± 0.4`
  private static func share(_ estimate: Estimate?) -> String? {
    guard let estimate else { return nil }
    return Percent.text(estimate.mean)
      + (estimate.count > 1 ? " ± \(Percent.text(estimate.halfWidth).dropLast(2))" : "")
  }

  private static func count(_ estimate: Estimate?) -> String? {
    guard let estimate else { return nil }
    return Rounded.text(estimate.mean)
      + (estimate.count > 1 && estimate.halfWidth > 0 ? " ± \(Rounded.text(estimate.halfWidth))" : "")
  }

  private static func partly(_ spares: [Double?]) -> String {
    spares.allSatisfy { $0 == nil } ? "> 80 %" : "> 80 % in some seeds"
  }
}

/// Numbers of things, of which the mean may have a decimal.
enum Rounded {
  static func text(_ number: Double) -> String {
    number >= 100 || number == number.rounded()
      ? Whole.text(Int(number.rounded())) : String((number * 10).rounded() / 10)
  }
}
