import Foundation
import Placement
import PlacementSimulator
import PlacementTraces

/// A history of many rows: that it is read in bounded memory, and how long reading and running take.
struct RowsCase: Sendable {
  let options: BenchmarkOptions

  init(_ options: BenchmarkOptions) { self.options = options }

  private static let alive = 2000

  func run() throws -> [String] {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-rows-\(getpid())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("rows.csv").path
    return try run(path, "changes", write: writeChanges) + run(path, "volumes", write: writeVolumes)
  }

  private func run(_ path: String, _ form: String, write: (String) throws -> Int) throws -> [String] {
    let bytes = try write(path)
    var start = threadSeconds()
    let trace = try TraceFile.open([path])
    let reading = threadSeconds() - start
    start = threadSeconds()
    let result = try Simulator.run(
      policy: StandardPolicy.standard.make(), workload: trace.workload,
      cluster: SimulatedCluster(nodeCount: 20, poolBytes: 4000 << 30), options: SimulationOptions(largeBytes: 500 << 30)
    )
    let running = threadSeconds() - start
    let peak = Double(ProcessMemory.bytes(.mostResident)) / 1e6
    print(
      "\nHistory of \(options.rows) rows of \(form) (\(fixed(Double(bytes) / 1e6, 0)) MB): checked in "
        + "\(fixed(reading, 1)) s, simulated in \(fixed(running, 1)) s of processor time, \(result.counts.requests) "
        + "requests, \(result.counts.pending) Pending; at most \(fixed(peak, 0)) MB resident")
    return [
      "rows.\(form).check \(fixed(reading, 1)) s", "rows.\(form).simulate \(fixed(running, 1)) s",
      "rows.\(form).resident \(fixed(peak, 0)) MB",
    ]
  }

  /// Writes a volume a row, as many alive at a time as a cluster of 20 nodes holds; returns the bytes.
  private func writeVolumes(_ path: String) throws -> Int {
    var random = SeededRandom(seed: 1)
    return try write(path, header: "volume,created,deleted,size\n") { row in
      let size = 1 + Int(random.unit() * random.unit() * random.unit() * 300)
      return "v\(row),\(row),\(row + 1 + Int(random.unit() * Double(2 * Self.alive))),\(size)Gi\n"
    }
  }

  /// Writes arrivals and deletions, about as many alive at a time; returns the bytes.
  private func writeChanges(_ path: String) throws -> Int {
    var random = SeededRandom(seed: 1)
    var living: [Int] = []
    var next = 0
    return try write(path, header: "time,event,volume,size\n") { row in
      if living.count < Self.alive || random.unit() < 0.5 {
        let size = 1 + Int(random.unit() * random.unit() * random.unit() * 300)
        living.append(next)
        next += 1
        return "\(row),arrive,v\(next - 1),\(size)Gi\n"
      }
      let index = Int(random.unit() * Double(living.count))
      living.swapAt(index, living.count - 1)
      return "\(row),delete,v\(living.removeLast()),\n"
    }
  }

  private func write(_ path: String, header: String, line: (Int) -> String) throws -> Int {
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else { throw UsageError(description: "cannot write \(path)") }
    defer { try? file.close() }
    var (text, bytes) = (header, 0)
    for row in 0..<options.rows {
      text += line(row)
      guard text.utf8.count > 1 << 20 || row == options.rows - 1 else { continue }
      try file.write(contentsOf: Data(text.utf8))
      bytes += text.utf8.count
      text = ""
    }
    return bytes
  }
}
