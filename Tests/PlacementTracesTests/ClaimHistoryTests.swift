import Foundation
import Placement
import PlacementSimulator
import Testing

@testable import PlacementTraces

@Suite struct ClaimHistoryTests {
  private func claim(
    _ uid: String, _ created: String, _ size: String, node: String = "", storageClass: String = "local"
  )
    -> String
  {
    """
    {"kind":"PersistentVolumeClaim","metadata":{"uid":"\(uid)","name":"\(uid)","namespace":"demo",\
    "creationTimestamp":"2026-11-22T\(created)Z"\
    \(node.isEmpty ? "" : ",\"annotations\":{\"volume.kubernetes.io/selected-node\":\"\(node)\"}")},\
    "spec":{"storageClassName":"\(storageClass)","resources":{"requests":{"storage":"\(size)"}}},\
    "status":{"phase":"Bound"}}
    """
  }

  private func snapshot(_ time: String, _ claims: [String], storageClass: String? = nil) throws -> ClaimSnapshot {
    let text = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\(claims.joined(separator: ","))]}"
    return try withFile(text, named: "claims-2026-11-22T\(time)Z.json") { path in
      try ClaimSnapshot(path: path, storageClass: storageClass)
    }
  }

  @Test func `Snapshots make a history of arrivals, growth and deletions`() throws {
    let history = try ClaimHistory([
      snapshot("12:00:00", [claim("a", "10:00:00", "4Gi"), claim("c", "11:30:00", "1Gi")]),
      snapshot("11:00:00", [claim("a", "10:00:00", "2Gi"), claim("b", "10:10:00", "8Gi", node: "node-7")]),
    ])
    let gib: Int64 = 1 << 30
    let events = try collected(history)
    #expect(
      events == [
        .init(time: 0, id: 0, change: .arrive(.init(bytes: 2 * gib))),
        .init(time: 600, id: 1, change: .arrive(.init(bytes: 8 * gib))), .init(time: 5400, id: 1, change: .delete),
        .init(time: 5400, id: 2, change: .arrive(.init(bytes: gib))),
        .init(time: 5400, id: 0, change: .grow(volume: 0, toBytes: 4 * gib)),
      ])
    #expect(history.summary.requests == 3)
    #expect(history.summary.deletions == 1)
    #expect(history.latest?.claims.map(\.uid) == ["a", "c"])
    #expect(history.snapshots[0].claims[1].node == "node-7")
  }

  @Test func `Only one storage class is taken if it is asked for`() throws {
    let one = try snapshot(
      "12:00:00", [claim("a", "10:00:00", "4Gi"), claim("b", "10:00:00", "4Gi", storageClass: "nfs")],
      storageClass: "local")
    #expect(one.claims.map(\.uid) == ["a"])
  }

  @Test(arguments: [
    ("{\"items\":[", 1, 11), ("{\n  \"items\": [}\n", 2, 13),
  ])
  func `Broken JSON is named with line and column`(text: String, line: Int, column: Int) throws {
    try withFile(text, named: "c.json") { path in
      let error = try #require(throws: TraceError.self) { try TraceFile.open([path]) }
      #expect(error.line == line)
      #expect(error.column == column)
    }
  }

  @Test func `A list of something else is refused`() throws {
    try withFile("{\"items\":[{\"kind\":\"Pod\",\"spec\":{}}]}", named: "c.json") { path in
      let error = try #require(throws: TraceError.self) { try TraceFile.open([path]) }
      #expect(error.problem == .notClaims(reason: "items[0] is a Pod"))
    }
  }

  @Test(arguments: [
    ("claims-2026-11-22T10:00:00Z.json", 1_795_341_600.0), ("2026-11-22T10-00-00Z.json", 1_795_341_600),
    ("claims.json", nil),
  ])
  func `The time of a snapshot can stand in its name`(name: String, time: Double?) {
    #expect(ClaimSnapshot.date(inNameOf: "/some/2020-01-01T00:00:00Z/\(name)") == time)
  }
}
