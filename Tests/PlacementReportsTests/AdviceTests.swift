import Foundation
import Placement
import PlacementSimulator
import PlacementTraces
import Testing

@testable import PlacementReports

@Suite struct AdviceTests {
  private let gib: Int64 = 1 << 30

  private func withHistory<Result>(_ text: String, _ name: String, _ body: (TraceFile) throws -> Result) throws
    -> Result
  {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-advice-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return try body(TraceFile.open([file.path]))
  }

  private func claims(_ volumes: [(name: String, size: String, node: String)]) -> String {
    let items = volumes.map { volume in
      """
      {"metadata":{"uid":"\(volume.name)","namespace":"demo","name":"\(volume.name)",\
      "creationTimestamp":"2026-11-01T10:00:00Z","annotations":{"volume.kubernetes.io/selected-node":"\(volume.node)"}},\
      "spec":{"resources":{"requests":{"storage":"\(volume.size)"}}},"status":{"phase":"Bound"}}
      """
    }
    return "{\"items\":[\(items.joined(separator: ","))]}"
  }

  @Test func `Claims stand where they stand, and the move that frees a hole is found`() throws {
    // Both nodes are broken: 60 GiB free each. Moving b leaves room for one volume of 80 GiB on node-2.
    let text = claims([("a", "40Gi", "node-1"), ("b", "20Gi", "node-2"), ("c", "20Gi", "node-2")])
    try withHistory(text, "claims-2026-11-11T10:00:00Z.json") { history in
      let advice = try Advisor(
        cluster: SimulatedCluster(nodeCount: 2, poolBytes: 100 * gib), sizes: [80 * gib]
      ).advise(history)
      let risk = try #require(advice.risks.first { $0.bytes == 80 * gib })
      #expect(risk.slots == 0)
      #expect(advice.movesFor?.bytes == 80 * gib)
      #expect(
        advice.moves == [
          HelpfulMove(
            volume: "demo/b", from: "node-2", to: "node-1", bytes: 20 * gib, slotsGained: 1,
            downtimeSeconds: RepairCost().downtimeSeconds(20 * gib))
        ])
      #expect(advice.usedBytes == 80 * gib)
      #expect(advice.notes.contains { $0.contains("nothing was ever deleted") })
    }
  }

  @Test func `The nodes a history needs are found, and the spare at its peak`() throws {
    let rows = (0..<20).map { "v\($0),\($0),\($0 + 10),60Gi" }
    try withHistory((["volume,created,deleted,size"] + rows).joined(separator: "\n"), "h.csv") { history in
      let advice = try Advisor(cluster: SimulatedCluster(nodeCount: 8, poolBytes: 130 * gib), pendingLimit: 0)
        .advise(history)
      // Ten live at a time, two fit on a node.
      #expect(advice.nodesNeeded == 5)
      #expect(abs((advice.spareNeeded ?? 0) - (1 - 600.0 / 650)) < 1e-9)
      #expect(advice.headline.contains("you have 8, 3 more"))
      #expect(advice.json["nodesNeeded"].int == 5)
      #expect(advice.notes.contains { $0.contains("replayed") })
      let slots = advice.risks.first?.slots
      #expect(slots == 6 + 0 || (slots ?? 0) > 5)
    }
  }

  @Test(arguments: [(1.0, 0, 0.6321), (1.0, 2, 0.0803), (10.0, 10, 0.4170), (0.0, 0, 0.0), (1000.0, 1000, 0.4937)])
  func `The risk is the tail of Poisson's distribution`(mean: Double, count: Int, probability: Double) {
    #expect(abs(SizeRisk.tail(mean: mean, above: count) - probability) < 0.003)
  }

  @Test func `Many sizes are shown at telling quantiles, few as they are`() {
    #expect(SizeRisk.sizes([1: 5, 2: 3]) == [1, 2])
    let many = SizeRisk.sizes(Dictionary(uniqueKeysWithValues: (1...1000).map { (Int64($0), 1) }))
    #expect(many == [500, 750, 900, 950, 990, 999, 1000])
  }

  @Test func `Moves never make the holes that they fill elsewhere`() throws {
    var random = SeededRandom(seed: 3)
    for _ in 0..<50 {
      let volumes = (0..<30).map { index in
        (
          name: "v\(index)", size: "\(Int.random(in: 5...40, using: &random))Gi",
          node: "node-\(Int.random(in: 1...6, using: &random))"
        )
      }
      try withHistory(claims(volumes), "claims-2026-11-11T10:00:00Z.json") { history in
        let cluster = SimulatedCluster(nodeCount: 6, poolBytes: 250 * gib)
        let today = try ClusterToday(history, on: cluster, policy: .standard)
        #expect(today.isAsRecorded)
        let before = today.engine.state.room(for: 100 * gib).slots
        let moves = HelpfulMoves(bytes: 100 * gib, deviceClass: 0).find(3, in: today)
        var engine = today.engine
        for move in moves {
          let id = try #require(today.names.first { $0.value == move.volume }?.key)
          let target = try #require(engine.state.names.firstIndex(of: move.to))
          try engine.move(id, to: target)
        }
        #expect(engine.state.room(for: 100 * gib).slots == before + moves.reduce(0) { $0 + $1.slotsGained })
      }
    }
  }
}
