import Foundation
import Placement
import PlacementSimulator
import Testing

@testable import PlacementTraces

private let gib: Int64 = 1 << 30

/// All events of a workload.
func collected(_ workload: any Workload) throws -> [SimulationEvent] {
  var stream = try workload.events(seed: 1)
  var events: [SimulationEvent] = []
  while let event = try stream.next() { events.append(event) }
  return events
}

/// A file that is gone afterwards.
func withFile<Result>(_ text: String, named name: String = "trace.csv", _ body: (String) throws -> Result) throws
  -> Result
{
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-traces-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  let file = directory.appendingPathComponent(name)
  try Data(text.utf8).write(to: file)
  return try body(file.path)
}

@Suite struct TraceTests {
  @Test func `A line per change becomes the events it says`() throws {
    let text = """
      time,event,volume,size,class,cpu,memory
      0,arrive,a,10Gi,ssd,2,4Gi
      5,arrive,b,1073741824,hdd,,
      6.5,grow,a,20Gi,,,
      7,delete,a,,,,
      7,arrive,a,1Gi,ssd,,
      """
    try withFile(text) { path in
      let trace = try TraceFile.open([path])
      let events = try collected(trace.workload)
      #expect(
        events == [
          .init(time: 0, id: 0, change: .arrive(.init(bytes: 10 * gib, milliCPU: 2000, memoryBytes: 4 * gib))),
          .init(time: 5, id: 1, change: .arrive(.init(bytes: gib, deviceClass: 1))),
          .init(time: 6.5, id: 0, change: .grow(volume: 0, toBytes: 20 * gib)), .init(time: 7, id: 0, change: .delete),
          .init(time: 7, id: 2, change: .arrive(.init(bytes: gib))),
        ])
      #expect(trace.summary.deviceClasses == ["ssd", "hdd"])
      #expect(trace.summary.requests == 3)
      #expect(trace.summary.peakBytes == 21 * gib)
      #expect(trace.summary.seconds == 7)
    }
  }

  @Test func `A line per volume becomes arrivals and deletions in the order of time`() throws {
    let text = """
      instance_sn,role,disk_request,cpu_request,memory_request,creation_time,deletion_time
      i1,CN,680.0,48,240.0,,100
      i2,CN,100,1,1,50,
      i3,CN,100,1,1,20,50
      i4,CN,100,1,1,100,100
      """
    try withFile(text) { path in
      let trace = try TraceFile.open([path])
      let events = try collected(trace.workload)
      #expect(events.map(\.time) == [0, 20, 50, 50, 100, 100, 100])
      #expect(events.map(\.id) == [0, 1, 1, 2, 0, 3, 3])
      #expect(
        events[0].change
          == .arrive(PlacementDemand(bytes: 680 * gib, milliCPU: 48_000, memoryBytes: 240 * gib)))
      #expect(events[2].change == .delete)
      #expect(trace.summary.initial == 1)
      #expect(trace.summary.peakBytes == 780 * gib)
    }
  }

  @Test func `Dates count from the first one`() throws {
    let text = """
      volume,created,deleted,size
      a,2026-11-22T10:00:30Z,2026-11-22T10:01:00Z,1Gi
      b,2026-11-22T10:00:00Z,,1Gi
      """
    try withFile(text) { path in
      let events = try collected(TraceFile.open([path]).workload)
      #expect(events.map(\.time) == [0, 30, 60])
    }
  }

  struct Bad: Sendable {
    var text: String
    var line: Int?
    var column: Int?
    var problem: TraceError.Problem
    /// With leniency: what is left of the good lines.
    var kept = 1
  }

  static let events = "time,event,volume,size\n0,arrive,good,1Gi\n"
  static let lifetimes = "volume,created,deleted,size\ngood,0,,1Gi\n"

  static let bad: [Bad] = [
    Bad(text: events + "1,arrive,x,-5\n", line: 3, column: 4, problem: .negativeSize("-5")),
    Bad(text: events + "1,arrive,x,0\n", line: 3, column: 4, problem: .negativeSize("0")),
    Bad(text: events + "1,arrive,x,1e30\n", line: 3, column: 4, problem: .absurdSize("1e30")),
    Bad(text: events + "1,arrive,x,9Pi\n", line: 3, column: 4, problem: .absurdSize("9Pi")),
    Bad(text: events + "1,arrive,x,big\n", line: 3, column: 4, problem: .invalidSize("big")),
    Bad(text: events + "1,arrive,x,\n", line: 3, column: 4, problem: .invalidSize("")),
    Bad(text: events + "1,delete,x,\n", line: 3, column: 3, problem: .notAlive(id: "x", event: "delete")),
    Bad(text: events + "1,grow,x,5Gi\n", line: 3, column: 3, problem: .notAlive(id: "x", event: "grow")),
    Bad(text: events + "1,grow,good,1Mi\n", line: 3, column: 4, problem: .shrinks(id: "good")),
    Bad(text: events + "1,arrive,good,1Gi\n", line: 3, column: 3, problem: .duplicateID("good", firstLine: 0)),
    Bad(text: events + "-1,arrive,x,1Gi\n", line: 3, column: 1, problem: .clockBackwards(from: "0.0", to: "-1.0")),
    Bad(text: events + "soon,arrive,x,1Gi\n", line: 3, column: 1, problem: .invalidTime("soon")),
    Bad(
      text: events + "2026-11-22T10:00:00Z,arrive,x,1Gi\n", line: 3, column: 1,
      problem: .mixedTimes("2026-11-22T10:00:00Z")),
    Bad(text: events + "1,arive,x,1Gi\n", line: 3, column: 2, problem: .unknownEvent("arive")),
    Bad(text: events + "1,arrive,,1Gi\n", line: 3, column: 3, problem: .noID),
    Bad(text: events + "1,arrive,x\n", line: 3, column: nil, problem: .fieldCount(found: 3, expected: 4)),
    Bad(text: lifetimes + "x,5,4,1Gi\n", line: 3, column: 3, problem: .deletedBeforeCreation(id: "x")),
    Bad(
      text: lifetimes + "good,5,6,1Gi\n", line: 3, column: nil,
      problem: .duplicateID("the volume of line 3", firstLine: 2)),
    Bad(text: lifetimes + "x,5,6,-1Gi\n", line: 3, column: 4, problem: .negativeSize("-1Gi")),
    Bad(
      text: "time,event,name\n", line: 1, column: nil,
      problem: .missingColumns(["size"], found: ["time", "event", "name"]), kept: 0),
    Bad(
      text: "colour,shape\nred,round\n", line: 1, column: nil,
      problem: .missingColumns(["time", "event", "volume", "size"], found: ["colour", "shape"]), kept: 0),
    Bad(text: "", line: nil, column: nil, problem: .empty, kept: 0),
    Bad(text: "time,event,volume,size\n", line: nil, column: nil, problem: .empty, kept: 0),
  ]

  @Test(arguments: bad) func `Bad input is named with its place; leniency counts what is of one line`(example: Bad)
    throws
  {
    try withFile(example.text) { path in
      let error = try #require(throws: TraceError.self) { try TraceFile.open([path]) }
      #expect(error.problem == example.problem)
      #expect(error.line == example.line)
      #expect(error.column == example.column)
      #expect(error.description.hasPrefix(path))
      #expect(!error.remedy.isEmpty)
      if example.kept == 0 {
        #expect(throws: TraceError.self) { try TraceFile.open([path], .init(isLenient: true)) }
      } else {
        let trace = try TraceFile.open([path], .init(isLenient: true))
        #expect(trace.summary.requests == example.kept)
        #expect(trace.summary.warnings.count == 1)
        #expect(trace.summary.warnings.lines.count == 1)
      }
    }
  }

  @Test(arguments: ["time,event,volume,size", "volume,created,deleted,size"])
  func `Sizes that overflow a sum are refused, not counted wrongly`(header: String) throws {
    let rows = (0..<5000).map { header.hasPrefix("time") ? "\($0),arrive,v\($0),1Pi" : "v\($0),\($0),,1Pi" }
    try withFile(([header] + rows).joined(separator: "\n")) { path in
      let error = try #require(throws: TraceError.self) { try TraceFile.open([path]) }
      #expect(error.problem == .absurdSum)
      #expect(error.line == 4098)
    }
  }

  @Test func `A missing file and a directory are errors with their path`() throws {
    for path in ["/nowhere/trace.csv", "/tmp"] {
      let error = try #require(throws: TraceError.self) { try TraceFile.open([path]) }
      #expect(error.file == path)
    }
  }

  @Test func `A binary file is no CSV`() throws {
    try withFile("\u{7F}ELF\u{2}\u{1}\u{0}\u{0}\n") { path in
      let error = try #require(throws: TraceError.self) { try TraceFile.open([path]) }
      guard case .notCSV = error.problem else { return #expect(Bool(false), "\(error)") }
    }
  }

  @Test func `Any trace that is accepted runs through the simulator`() throws {
    try withFile(Self.events + "3,arrive,b,3Gi\n4,delete,good,\n") { path in
      let result = try Simulator.run(
        policy: MostFreePolicy(), workload: TraceFile.open([path]).workload,
        cluster: SimulatedCluster(nodeCount: 1, poolBytes: 3 * gib))
      #expect(result.counts.requests == 2)
      #expect(result.counts.pending == 1)
    }
  }
}
