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
    func note(_ current: (UInt64, Int64)?, _ earlier: [(UInt64, Int64)] = [], at seconds: Int) -> Bool {
      budget.note(
        current: current.map { LogBudget.File(inode: $0, size: $1) },
        earlier: earlier.map { LogBudget.File(inode: $0, size: $1) }, at: began + .seconds(seconds)
      ).isSpent
    }
    #expect(!note((1, 1 << 40), at: 0), "what was there before is not new")
    #expect(!note((2, 8 << 20), at: 1))
    #expect(!note((3, 200 << 20), [(2, 8 << 20)], at: 2))
    // A shortened copy of what was counted is nothing new.
    #expect(!note((3, 201 << 20), [(9, 100 << 20)], at: 3))
    #expect(note((3, 600 << 20), at: 4))
  }

  /// A rotation renames the file; until the runtime opens the new one it writes on to the old one, perhaps for seconds.
  @Test("count what is written to a log that was renamed", arguments: [true, false])
  func renamedLog(isMissing: Bool) {
    var budget = LogBudget()
    let began = ContinuousClock.now
    func file(_ inode: UInt64, _ megabytes: Int64) -> LogBudget.File { .init(inode: inode, size: megabytes << 20) }
    #expect(!budget.note(current: file(1, 11), earlier: [], at: began).isSpent)
    let new = isMissing ? nil : file(2, 0)
    #expect(!budget.note(current: new, earlier: [file(1, 11)], at: began + .milliseconds(50)).isSpent)
    let verdict = budget.note(current: new, earlier: [file(1, 200)], at: began + .milliseconds(100))
    #expect(verdict.isBusy && !verdict.isSpent)
    #expect(budget.note(current: new, earlier: [file(1, 300)], at: began + .milliseconds(150)).isSpent)
  }

  @Test("cut what a run that has ended logged down to its bound")
  func endedLog() throws {
    let place = "/tmp/nagaya-ended-log-\(ProcessInfo.processInfo.processIdentifier)"
    try Directory.make(place)
    defer { try? Directory.removeTree(place) }
    let line = Array((String(repeating: "x", count: 1023) + "\n").utf8)
    for name in ["0.log", "0.log.7"] + (1...6).map({ "0.log.\($0)" }) {
      let lines = name == "0.log" || name == "0.log.7" ? 30 << 10 : 4
      try SmallFile.write(Array(repeatElement(line, count: lines).joined()), to: "\(place)/\(name)")
    }
    try LogRotation.finish(place: place, attempt: 0)
    let names = Directory.namesIfReadable(in: place).sorted()
    #expect(names.count == NodeLimits.logFiles && names.contains("0.log") && names.contains("0.log.7"), "\(names)")
    let bytes = try names.map { try FileStatus(of: "\(place)/\($0)")?.size ?? 0 }.reduce(0, +)
    #expect(bytes < 21 << 20)
    let kept = try #require(SmallFile.text("\(place)/0.log"))
    #expect(kept.hasPrefix("xxx") && kept.hasSuffix("x\n"), "whole lines")
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
