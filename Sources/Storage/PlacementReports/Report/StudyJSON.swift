import JSONDocument
import Placement
import PlacementSimulator

extension StudyResult {
  /// All figures, for other programs. Shares are from 0 to 1, sizes are bytes, times seconds.
  public var json: JSONValue {
    var object: JSONValue = [
      "name": .string(study.name), "title": .string(study.title), "summary": .string(study.summary),
      "seeds": .array(study.seeds.map { .integer(Int64(clamping: $0)) }), "largeBytes": .integer(largeBytes),
      "pendingLimit": .number(study.pendingLimit), "failedExpansionLimit": .number(study.failedExpansionLimit),
      "nodes": .integer(Int64(study.cluster.nodes.count)), "capacityBytes": .integer(study.cluster.capacityBytes),
      "policies": .array(outcomes.map(Self.json)),
    ]
    if let verdict = Verdict(self) {
      object["verdict"] = .string(verdict.text)
      object["defaultIsBeaten"] = .bool(verdict.defaultIsBeaten)
    }
    var bounds: JSONValue = .object([:])
    bounds.set("nodesL1", ifPresent: self.bounds.nodesL1.map { .integer(Int64($0)) })
    bounds.set("nodesL2", ifPresent: self.bounds.nodesL2.map { .integer(Int64($0)) })
    bounds.set("pendingWithFreeMoves", ifPresent: self.bounds.pendingWithFreeMoves.map { .integer(Int64($0)) })
    object["bounds"] = bounds
    return object
  }

  private static func json(_ outcome: Outcome) -> JSONValue {
    var object: JSONValue = ["policy": .string(outcome.policy.rawValue)]
    object.set("spareNeeded", ifPresent: outcome.spare.map(json))
    object.set("nodesNeeded", ifPresent: outcome.nodesNeeded.map(json))
    object.set("pendingRate", ifPresent: outcome.estimate(\.counts.pendingRate).map(json))
    object.set("largePendingRate", ifPresent: outcome.estimate(StudyTable.largeRate).map(json))
    object.set("failedExpansionRate", ifPresent: outcome.estimate(\.counts.failedExpansionRate).map(json))
    object.set("movedRate", ifPresent: outcome.estimate(\.counts.movedRate).map(json))
    object.set("stranded", ifPresent: outcome.estimate { $0.mean(\.stranded) }.map(json))
    object.set("slots", ifPresent: outcome.estimate { $0.mean { Double($0.slots) } }.map(json))
    object["runs"] = .array(
      outcome.runs.enumerated().map { index, run in
        var entry: JSONValue = [
          "seed": .integer(Int64(clamping: run.seed)), "events": .integer(Int64(run.counts.events)),
          "requests": .integer(Int64(run.counts.requests)), "pending": .integer(Int64(run.counts.pending)),
          "pendingBytes": .integer(run.counts.pendingBytes), "largeRequests": .integer(Int64(run.counts.largeRequests)),
          "largePending": .integer(Int64(run.counts.largePending)),
          "expansions": .integer(Int64(run.counts.expansions)),
          "failedExpansions": .integer(Int64(run.counts.failedExpansions)),
          "admittedBytes": .integer(run.counts.admittedBytes), "moves": .integer(Int64(run.counts.moves)),
          "movedBytes": .integer(run.counts.movedBytes), "lostRequests": .integer(Int64(run.counts.lostRequests)),
        ]
        if index < outcome.spares.count { entry["spareNeeded"] = outcome.spares[index].map { .number($0) } ?? .null }
        if index < outcome.nodes.count {
          entry["nodesNeeded"] = outcome.nodes[index].map { .integer(Int64($0)) } ?? .null
        }
        return entry
      })
    return object
  }

  private static func json(_ estimate: Estimate) -> JSONValue {
    [
      "mean": .number(estimate.mean), "low": .number(estimate.interval.lowerBound),
      "high": .number(estimate.interval.upperBound), "seeds": .integer(Int64(estimate.count)),
    ]
  }
}
