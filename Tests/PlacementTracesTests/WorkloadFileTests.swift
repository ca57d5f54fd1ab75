import Placement
import PlacementSimulator
import Testing

@testable import PlacementTraces

@Suite struct WorkloadFileTests {
  @Test func `A described workload becomes a cluster and its requests`() throws {
    let file = try WorkloadFile(TraceFuzzTests.workload, file: "w.yaml")
    #expect(file.cluster.nodes.map(\.name) == ["node-1", "node-2", "node-3", "big"])
    #expect(file.cluster.deviceClasses == ["default", "hdd"])
    #expect(file.cluster.nodes[3].milliCPU == 8000)
    #expect(file.cluster.nodes[3].pools.map(\.capacityBytes) == [1 << 40, 4 << 40])
    #expect(file.workload.kinds.count == 2)
    #expect(file.workload.kinds[1].demand.volumes.map(\.deviceClass) == [0, 1])
    #expect(file.workload.kinds[1].demand.milliCPU == 500)
    #expect(file.workload.lifetimes.map(\.meanSeconds) == [43_200, 259_200])
    #expect(file.workload.requestsPerApp == 2)
    #expect(file.workload.nodeChanges.map(\.change) == [.nodeLost(0), .nodeReturned(0), .drain(3)])
    #expect(file.load == 0.7)
    let result = try Simulator.run(policy: MostFreePolicy(), workload: file.workload, cluster: file.cluster)
    #expect(result.counts.requests == 200)
  }

  @Test func `JSON is YAML, too`() throws {
    let file = try WorkloadFile(
      #"{"nodes":[{"size":"1Ti"}],"sizes":[{"size":"1Gi"}],"lifetimes":[{"mean":60}],"arrivalsPerHour":3600}"#,
      file: "w.json")
    #expect(file.workload.arrivalRate == 1)
    #expect(file.load == nil)
  }

  static let good = "nodes: [{size: 1Ti}]\nsizes: [{size: 1Gi}]\nlifetimes: [{mean: 1h}]\n"

  @Test(arguments: [
    ("sizes: [{size: 1Gi}]\nlifetimes: [{mean: 1h}]\n", "nodes"), ("nodes: []\n", "nodes"),
    (good + "lode: 0.7\n", "lode"), (good + "load: 200\n", "load"), (good + "load: 0.5\narrivalsPerHour: 3\n", "load"),
    (good + "events: [{at: 1d, lose: node-9}]\n", "events[0].lose"),
    (good + "growth: {probability: 2}\n", "growth.probability"),
    (good + "requests: 1.5\n", "requests"),
    (good + "requests: 1000000000\ngrowth: {probability: 1, factor: 1000}\n", "requests"),
    ("nodes: [{count: 90000, size: 1Ei}]\nsizes: [{size: 1Gi}]\nlifetimes: [{mean: 1h}]\n", "nodes"),
    ("nodes: [{size: 1Ti}]\nsizes: [{size: -1Gi}]\nlifetimes: [{mean: 1h}]\n", "sizes[0].size"),
    ("nodes: [{size: 1Ti}]\nsizes: [{size: 1Gi, class: x}]\nlifetimes: [{mean: 1h}]\n", "sizes[0].class"),
    ("nodes: [{size: 1Ti}]\nsizes: [{size: 1Gi, weight: 0}]\nlifetimes: [{mean: 1h}]\n", "sizes"),
    ("nodes: [{size: 1Ti}]\nsizes: [{size: 1Gi}]\nlifetimes: [{mean: often}]\n", "lifetimes[0].mean"),
    (
      "nodes: [{count: 2, size: 1Ti}, {name: node-1, size: 1Ti}]\nsizes: [{size: 1Gi}]\nlifetimes: [{mean: 1h}]\n",
      "nodes"
    ),
  ])
  func `What is wrong is named by its place`(text: String, path: String) throws {
    let error = try #require(throws: TraceError.self) { try WorkloadFile(text, file: "w.yaml") }
    #expect(error.columnName == path, "\(error)")
    #expect(error.description.hasPrefix("w.yaml, \(path): "))
  }

  @Test(arguments: ["", "- 1\n", "a: [", "a: 1\n---\nb: 2\n"]) func `What is no document is refused`(text: String) {
    #expect(throws: TraceError.self) { try WorkloadFile(text, file: "w.yaml") }
  }
}
