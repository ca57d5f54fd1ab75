import Foundation
import Placement
import PlacementSimulator
import Testing

@testable import PlacementTraces

@Suite struct TraceFuzzTests {
  static let corpus = [
    "time,event,volume,size,class,cpu,memory\n0,arrive,a,10Gi,ssd,2,4Gi\n5,arrive,\"b\"\"\",1e9,hdd,,\n6,grow,a,20Gi,,,\n7,delete,a,,,,\n",
    "instance_sn,disk_request,cpu_request,memory_request,creation_time,deletion_time\ni1,680.0,48,240.0,,100\ni2,1,1,1,50,\n",
    "volume,created,deleted,size\r\na,2026-11-22T10:00:30Z,2026-11-22T10:01:00Z,1Gi\r\nb,2026-11-22T10:00:00Z,,1Gi\r\n",
  ]
  static let claims = """
    {"apiVersion":"v1","kind":"List","items":[{"kind":"PersistentVolumeClaim","metadata":{"uid":"1","name":"a",
    "namespace":"n","creationTimestamp":"2026-11-22T10:00:00Z"},"spec":{"resources":{"requests":{"storage":"1Gi"}},
    "storageClassName":"x"},"status":{"phase":"Bound"}},{"metadata":{"uid":"2","creationTimestamp":"2026-11-22T11:00:00Z"},
    "spec":{"resources":{"requests":{"storage":5}}}}]}
    """
  static let workload = """
    nodes: [{count: 3, size: 100Gi}, {name: big, pools: [{class: default, size: 1Ti}, {class: hdd, size: 4Ti}], cpu: 8}]
    sizes: [{size: 1Gi, weight: 9}, {volumes: [{size: 10Gi}, {size: 1Ti, class: hdd}], cpu: 0.5, memory: 1Gi}]
    lifetimes: [{mean: 12h}, {mean: 3d, weight: 2}]
    growth: {probability: 0.3, factor: 2}
    load: 0.7
    requests: 200
    apps: {replicas: 2}
    bursts: {factor: 3, share: 0.1, length: 1h}
    events: [{at: 1d, lose: node-1}, {at: 2d, return: node-1}, {at: 3d, drain: big}]
    """

  /// A few bytes or stretches changed, taken out, doubled, or replaced by telling ones.
  static func mutated(_ text: String, _ random: inout SeededRandom) -> [UInt8] {
    var input = Array(text.utf8)
    let telling: [UInt8] = Array("\",\n\r{}[]:-+.eE019 \u{0}#&*!|>".utf8) + [0x80, 0xFF, 0xEF]
    for _ in 0..<Int.random(in: 1...2, using: &random) {
      guard !input.isEmpty else { return input }
      let position = Int.random(in: input.indices, using: &random)
      let stretch = position..<min(input.count, position + Int.random(in: 1...24, using: &random))
      switch Int.random(in: 0..<5, using: &random) {
      case 0: input[position] = UInt8.random(in: 0...255, using: &random)
      case 1: input[position] = telling.randomElement(using: &random) ?? 0
      case 2: input.removeSubrange(stretch)
      case 3: input.insert(contentsOf: input[stretch], at: position)
      default: input.insert(telling.randomElement(using: &random) ?? 0, at: position)
      }
    }
    return input
  }

  /// What a reader accepts, the simulator must run without an error of its own.
  private func run(_ workload: any Workload, classes: [String]) throws {
    let pool = PoolDescription(deviceClasses: Array(0..<max(1, classes.count)), capacityBytes: 1 << 40)
    let nodes = (1...3).map {
      NodeDescription(name: "node-\($0)", pools: [pool], milliCPU: 64_000, memoryBytes: 1 << 38)
    }
    let result = try Simulator.run(
      policy: MostFreePolicy(), workload: workload, cluster: SimulatedCluster(deviceClasses: classes, nodes: nodes))
    #expect(result.counts.pending <= result.counts.requests)
    #expect(result.nodesAtEnd.allSatisfy { $0.freeBytes >= 0 && $0.freeBytes <= $0.capacityBytes })
  }

  @Test(arguments: [true, false]) func `Whatever the bytes of a trace are: an error, or a history that runs`(
    isLenient: Bool
  )
    throws
  {
    var random = SeededRandom(seed: 7)
    var accepted = 0
    for round in 0..<3000 {
      let bytes = Self.mutated(Self.corpus[round % Self.corpus.count], &random)
      do {
        let reader = CSVReader(file: "f", bytes: bytes)
        if round % Self.corpus.count == 0 {
          let summary = try EventTrace.check(reader, file: "f", isLenient: isLenient)
          var stream = try EventTraceStream(CSVReader(file: "f", bytes: bytes), file: "f", isLenient: isLenient)
          var events: [SimulationEvent] = []
          while let event = try stream.next() { events.append(event) }
          try run(RecordedWorkload(events), classes: summary.deviceClasses)
        } else {
          let trace = try LifetimeTrace(reader, file: "f", isLenient: isLenient)
          try run(trace, classes: trace.summary.deviceClasses)
        }
        accepted += 1
      } catch is TraceError {}
    }
    #expect(accepted > 100)
  }

  @Test func `Whatever the bytes of claims are: an error, or a history that runs`() throws {
    var random = SeededRandom(seed: 8)
    var accepted = 0
    for round in 0..<2000 {
      do {
        var snapshots: [ClaimSnapshot] = []
        for part in 0..<(1 + round % 3) {
          snapshots.append(
            try ClaimSnapshot(
              Self.mutated(Self.claims, &random), file: "f\(part)", time: Double(1_800_000_000 + part * 1000),
              storageClass: nil, isLenient: round % 2 == 0))
        }
        let history = try ClaimHistory(snapshots)
        try run(history, classes: ["default"])
        accepted += 1
      } catch is TraceError {}
    }
    #expect(accepted > 100)
  }

  @Test func `Whatever the text of a described workload is: an error, or a workload that runs`() throws {
    var random = SeededRandom(seed: 9)
    var accepted = 0
    for _ in 0..<1000 {
      do {
        let text = String(decoding: Self.mutated(Self.workload, &random), as: UTF8.self)
        var file = try WorkloadFile(text, file: "w.yaml")
        file.workload.requests = min(file.workload.requests, 200)
        guard file.cluster.nodes.count < 1000 else { continue }
        _ = try Simulator.run(policy: MostFreePolicy(), workload: file.workload, cluster: file.cluster)
        accepted += 1
      } catch is TraceError {}
    }
    #expect(accepted > 10)
  }
}
