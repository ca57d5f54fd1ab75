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
    object.set("withFreeMoves", ifPresent: freeMoves.map(Self.json))
    object["bounds"] = boundsJSON
    return object
  }

  /// What no policy can beat.
  private var boundsJSON: JSONValue {
    var object: JSONValue = .object([:])
    object.set("nodesWithoutRefusalL1", ifPresent: bounds.nodesL1.map { .integer(Int64($0)) })
    object.set("nodesWithoutRefusalL2", ifPresent: bounds.nodesL2.map { .integer(Int64($0)) })
    object.set("nodesNeeded", ifPresent: bounds.nodes.map { .integer(Int64($0)) })
    object.set("spareNeeded", ifPresent: bounds.spare.map(Self.json))
    object.set("refusalRate", ifPresent: bounds.refusals(self).map(Self.json))
    return object
  }

  private static func json(_ bounds: SimulationResult.Bounds) -> JSONValue {
    var object: JSONValue = .object([:])
    let fields: [(String, Int?)] = [
      ("nodesL1", bounds.nodesL1), ("nodesL2", bounds.nodesL2), ("refusalsL1", bounds.refusalsL1),
      ("refusalsL2", bounds.refusalsL2), ("pendingWithFreeMoves", bounds.pendingWithFreeMoves),
      ("failedExpansionsWithFreeMoves", bounds.failedExpansionsWithFreeMoves),
    ]
    for (name, value) in fields { object.set(name, ifPresent: value.map { .integer(Int64($0)) }) }
    return object
  }

  private static func json(_ outcome: Outcome) -> JSONValue {
    var object: JSONValue = ["policy": .string(outcome.label)]
    object.set("spareNeeded", ifPresent: outcome.spare.map(json))
    object.set("nodesNeeded", ifPresent: outcome.nodesNeeded.map(json))
    object.set("pendingRate", ifPresent: outcome.estimate(\.counts.pendingRate).map(json))
    object.set("largePendingRate", ifPresent: outcome.estimate(StudyTable.largeRate).map(json))
    object.set("failedExpansionRate", ifPresent: outcome.estimate(\.counts.failedExpansionRate).map(json))
    object.set("movedRate", ifPresent: outcome.estimate(\.counts.movedRate).map(json))
    object.set("movedRateAtTheLimit", ifPresent: outcome.limitEstimate(\.counts.movedRate).map(json))
    object.set("downtimeSecondsPer1000Requests", ifPresent: outcome.estimate(StudyTable.downtimePerThousand).map(json))
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
          "movedBytes": .integer(run.counts.movedBytes), "downtimeSeconds": .number(run.counts.downtimeSeconds),
          "drained": .integer(Int64(run.counts.drained)), "drainedBytes": .integer(run.counts.drainedBytes),
          "undrained": .integer(Int64(run.counts.undrained)), "lostRequests": .integer(Int64(run.counts.lostRequests)),
          "restoredBytes": .integer(run.counts.restoredBytes), "unrestored": .integer(Int64(run.counts.unrestored)),
          "bounds": json(run.bounds),
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
