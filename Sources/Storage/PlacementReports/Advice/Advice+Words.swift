import JSONDocument

extension Advice {
  /// One sentence on nodes and spare.
  public var headline: String {
    let limit = Percent.text(pendingLimit)
    guard let needed = nodesNeeded, let spare = spareNeeded else {
      return "No number of such nodes keeps Pending at \(limit): some requests are larger than a node."
    }
    let difference = nodes - needed
    let verdict =
      difference == 0
      ? "you have just as many"
      : difference > 0 ? "you have \(nodes), \(difference) more" : "you have \(nodes), \(-difference) too few"
    return
      "\(needed) such nodes keep Pending at or below \(limit) (\(Percent.text(spare)) spare at the peak); \(verdict)."
  }

  /// Rows by size: what can still be placed.
  public var riskTable: [[String]] {
    let showsClass = deviceClasses.count > 1
    let days = Int((leadTime / 86_400).rounded())
    let head =
      ["SIZE"] + (showsClass ? ["CLASS"] : []) + ["STILL FIT", "ASKED PER 30 DAYS", "RISK IN \(days) DAYS"]
    return [head]
      + risks.map { risk in
        [Bytes.text(risk.bytes)] + (showsClass ? [deviceClasses[risk.deviceClass]] : []) + [
          "\(risk.slots)", risk.requestsPerMonth.map { Rounded.text($0) } ?? "–",
          risk.probability.map { Self.risk($0) } ?? "–",
        ]
      }
  }

  /// The size that the moves make room for.
  public var movesForText: String? { movesFor.map { Bytes.text($0.bytes) } }

  /// Rows by move, best first.
  public var moveTable: [[String]] {
    [["VOLUME", "SIZE", "FROM", "TO", "MORE FIT", "DOWNTIME"]]
      + moves.map {
        [
          $0.volume ?? "a volume", Bytes.text($0.bytes), $0.from, $0.to, "\($0.slotsGained)",
          Span.text($0.downtimeSeconds),
        ]
      }
  }

  private static func risk(_ probability: Double) -> String {
    probability < 0.001 ? "< 0.1 %" : Percent.text(probability)
  }

  /// For other programs. Shares are from 0 to 1, sizes are bytes, times seconds.
  public var json: JSONValue {
    var object: JSONValue = [
      "nodes": .integer(Int64(nodes)), "peakBytes": .integer(peakBytes), "capacityBytes": .integer(capacityBytes),
      "usedBytes": .integer(usedBytes), "pendingLimit": .number(pendingLimit), "leadTimeSeconds": .number(leadTime),
      "notes": .array(notes.map { .string($0) }),
      "sizes": .array(
        risks.map { risk in
          var entry: JSONValue = [
            "bytes": .integer(risk.bytes), "class": .string(deviceClasses[risk.deviceClass]),
            "slots": .integer(Int64(risk.slots)),
          ]
          entry.set("requestsPer30Days", ifPresent: risk.requestsPerMonth.map { .number($0) })
          entry.set("riskInLeadTime", ifPresent: risk.probability.map { .number($0) })
          return entry
        }),
      "moves": .array(
        moves.map { move in
          var entry: JSONValue = [
            "bytes": .integer(move.bytes), "from": .string(move.from), "to": .string(move.to),
            "slotsGained": .integer(Int64(move.slotsGained)), "downtimeSeconds": .number(move.downtimeSeconds),
          ]
          entry.set("volume", ifPresent: move.volume.map { .string($0) })
          return entry
        }),
    ]
    object.set("nodesNeeded", ifPresent: nodesNeeded.map { .integer(Int64($0)) })
    object.set("spareNeeded", ifPresent: spareNeeded.map { .number($0) })
    object.set("movesForBytes", ifPresent: movesFor.map { .integer($0.bytes) })
    return object
  }
}
