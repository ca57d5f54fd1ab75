import Placement
import PlacementSimulator

/// A study's figures as rows of words: one policy a row, then what free moves reach and what nobody can beat.
public struct StudyTable: Sendable, Hashable {
  public var head: [String]
  public var rows: [[String]]

  private struct Column {
    var name: String
    var outcome: (StudyResult.Outcome) -> String?
    /// Of the row of the bounds.
    var bound: (StudyResult) -> String? = { _ in nil }
  }

  public init(_ result: StudyResult) {
    var columns = [Column(name: "POLICY", outcome: { $0.label }, bound: { _ in "bound" })]
    if result.hasSpares {
      columns.append(
        Column(name: "SPARE NEEDED", outcome: { Self.share($0.spare) ?? Self.partly($0.spares) }) {
          Self.share($0.bounds.spare)
        })
    }
    if result.hasNodes {
      columns.append(
        Column(name: "NODES NEEDED", outcome: { Self.count($0.nodesNeeded) ?? "not found" }) {
          $0.bounds.nodes.map(Whole.text)
        })
    }
    columns += Self.runColumns(result)
    head = columns.map(\.name)
    rows = (result.outcomes + (result.freeMoves.map { [$0] } ?? [])).map { outcome in
      columns.map { $0.outcome(outcome) ?? "–" }
    }
    if !result.bounds.runs.isEmpty { rows.append(columns.map { $0.bound(result) ?? "" }) }
  }

  private static func runColumns(_ result: StudyResult) -> [Column] {
    var columns = [
      Column(name: "PENDING", outcome: { share($0.estimate(\.counts.pendingRate)) }) { result in
        // With expansions the bound is one on both together.
        result.hasExpansions ? nil : share(result.bounds.refusals(result))
      },
      Column(name: "PENDING ≥ \(Bytes.text(result.largeBytes))", outcome: { share($0.estimate(largeRate)) }),
    ]
    if result.hasExpansions {
      columns.append(Column(name: "FAILED EXPANSIONS", outcome: { share($0.estimate(\.counts.failedExpansionRate)) }))
      columns.append(
        Column(name: "REFUSALS", outcome: { share($0.estimate(refusalRate)) }) { share($0.bounds.refusals($0)) })
    }
    if result.hasMoves {
      columns.append(Column(name: "MOVED", outcome: { share($0.estimate(\.counts.movedRate)) }))
      if result.hasSpares {
        columns.append(Column(name: "MOVED AT THE LIMIT", outcome: { share($0.limitEstimate(\.counts.movedRate)) }))
      }
      columns.append(
        Column(name: "DOWNTIME/1,000 REQUESTS", outcome: { span($0.estimate(downtimePerThousand)) }))
    }
    if result.hasDrains {
      columns.append(Column(name: "NOT DRAINED", outcome: { count($0.estimate { Double($0.counts.undrained) }) }))
    }
    if result.hasLosses {
      columns.append(Column(name: "NOT RESTORED", outcome: { count($0.estimate { Double($0.counts.unrestored) }) }))
    }
    columns.append(Column(name: "STRANDED", outcome: { share($0.estimate { $0.mean(\.stranded) }) }))
    columns.append(Column(name: "SLOTS", outcome: { count($0.estimate { $0.mean { Double($0.slots) } }) }))
    return columns
  }

  /// What is bounded, in a sentence; `nil` where nothing is.
  public static func boundWords(_ result: StudyResult) -> String? {
    let bounds = result.bounds
    guard let l1 = bounds.nodesL1, let l2 = bounds.nodesL2 else {
      return bounds.runs.isEmpty ? nil : "No policy can do better than the bound, whatever it knows and moves."
    }
    return
      "To refuse nothing at all takes at least \(Whole.text(l1)) such nodes by volume (L1), \(Whole.text(l2)) by Martello "
      + "and Toth's bound (L2)\(bounds.runs.count > 1 && bounds.runs.contains { $0 != bounds.runs[0] } ? ", of the seed that asks most" : "")."
  }

  static func largeRate(_ result: SimulationResult) -> Double {
    result.counts.largeRequests == 0 ? 0 : Double(result.counts.largePending) / Double(result.counts.largeRequests)
  }

  /// Pending requests and failed expansions per request.
  static func refusalRate(_ result: SimulationResult) -> Double {
    let counts = result.counts
    return counts.requests == 0 ? 0 : Double(counts.pending + counts.failedExpansions) / Double(counts.requests)
  }

  static func downtimePerThousand(_ result: SimulationResult) -> Double {
    result.counts.requests == 0 ? 0 : 1000 * result.counts.downtimeSeconds / Double(result.counts.requests)
  }

  /// `15.8 % ± 0.4`
  private static func share(_ estimate: Estimate?) -> String? {
    guard let estimate else { return nil }
    return Percent.text(estimate.mean)
      + (estimate.count > 1 ? " ± \(Percent.text(estimate.halfWidth).dropLast(2))" : "")
  }

  private static func span(_ estimate: Estimate?) -> String? { estimate.map { Span.text($0.mean) } }

  private static func count(_ estimate: Estimate?) -> String? {
    guard let estimate else { return nil }
    return Rounded.text(estimate.mean)
      + (estimate.count > 1 && estimate.halfWidth > 0 ? " ± \(Rounded.text(estimate.halfWidth))" : "")
  }

  private static func partly(_ spares: [Double?]) -> String {
    guard !spares.isEmpty else { return "–" }
    return spares.allSatisfy { $0 == nil } ? "> 80 %" : "> 80 % in some seeds"
  }
}

/// Numbers of things, of which the mean may have a decimal.
enum Rounded {
  static func text(_ number: Double) -> String {
    number >= 100 || number == number.rounded()
      ? Whole.text(Int(number.rounded())) : String((number * 10).rounded() / 10)
  }
}
