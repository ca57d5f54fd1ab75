import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import Testing

@testable import NodeAgent

@Suite("Limits of a node")
struct NodeLimitTests {
  @Test("order what is killed first: containers, shims, containerd, this process", arguments: [-900, 0, 300, 1000])
  func scores(own: Int) {
    let scores = OutOfMemoryScores(own: own)
    #expect(scores.own < scores.engine && scores.engine < scores.shim && scores.shim < scores.guaranteed)
    let most = scores.burstable(memoryRequest: 1 << 40, nodeMemoryBytes: 1 << 30)
    let least = scores.burstable(memoryRequest: 0, nodeMemoryBytes: 1 << 30)
    #expect(scores.guaranteed < most && most < least && least < scores.bestEffort && scores.bestEffort <= 1000)
  }

  @Test("evict first who has more than asked for, then the lower priority, then who is furthest above")
  func ranking() {
    let order = [
      EvictionRanking(priority: 0, usedBytes: 900, requestedBytes: 100),
      EvictionRanking(priority: 0, usedBytes: 300, requestedBytes: 100),
      EvictionRanking(priority: 10, usedBytes: 9000, requestedBytes: 100),
      EvictionRanking(priority: 0, usedBytes: 5000, requestedBytes: 5000),
    ]
    #expect(order.reversed().sorted(by: >) == order)
  }

  @Test("let a container log at a steady rate for ever, and in a burst, but not both")
  func budget() {
    var budget = LogBudget()
    let began = ContinuousClock.now
    #expect(!budget.note(size: 1 << 40, at: began).isSpent, "what was there before is not new")
    #expect(!budget.note(size: 8 << 20, at: began + .seconds(1)).isSpent)
    #expect(!budget.note(size: 200 << 20, at: began + .seconds(2)).isSpent)
    #expect(budget.note(size: 600 << 20, at: began + .seconds(3)).isSpent)
  }

  @Test("measure blocks, files with two names once, and say what lies too deep")
  func measure() throws {
    let top = "/tmp/nagaya-measure-\(ProcessInfo.processInfo.processIdentifier)"
    try Directory.make("\(top)/a/b")
    defer { try? Directory.removeTree(top) }
    try SmallFile.write([UInt8](repeating: 1, count: 1 << 20), to: "\(top)/a/b/file")
    #expect(link("\(top)/a/b/file", "\(top)/second") == 0)
    #expect(symlink("/", "\(top)/a/everything") == 0)
    var measure = TreeMeasure()
    measure.add(top)
    #expect(measure.bytes >= 1 << 20 && measure.bytes < 2 << 20 && measure.inodes == 4 && !measure.isTooDeep)
    try Directory.make(top + String(repeating: "/d", count: TreeMeasure.deepest + 1))
    var deep = TreeMeasure()
    deep.add(top)
    #expect(deep.isTooDeep)
  }

  @Test(
    "bound a memory-backed volume by what it asks for, by its pod's memory, and else by a part of the node's",
    arguments: [
      (#"{"sizeLimit": "1Mi"}"#, #"{"memory": "2Mi"}"#, 1 << 20),
      (#"{"sizeLimit": "9Gi"}"#, #"{"memory": "2Mi"}"#, 2 << 20),
      ("{}", #"{"memory": "2Mi"}"#, 2 << 20), ("{}", "{}", 1 << 30), (#"{"sizeLimit": "9Gi"}"#, "{}", 1 << 30),
      (#"{"sizeLimit": "0"}"#, "{}", 1), (#"{"sizeLimit": "-5"}"#, "{}", 1),
    ])
  func memoryVolume(source: String, limits: String, bytes: Int) throws {
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.spec["containers"] = [["name": "c", "resources": ["limits": try JSONValue(parsing: Array(limits.utf8))]]]
    let options = MemoryVolume.bounds(
      of: ["emptyDir": try JSONValue(parsing: Array(source.utf8))], in: pod, nodeMemoryBytes: 8 << 30)
    #expect(options.first == "size=\(bytes)")
  }
}
