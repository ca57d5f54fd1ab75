import Foundation
import Glibc
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
    let bytes = try write(path)
    var start = threadSeconds()
    let trace = try TraceFile.open([path])
    let reading = threadSeconds() - start
    let afterReading = Double(ProcessMemory.bytes(.mostResident)) / 1e6
    start = threadSeconds()
    let result = try Simulator.run(
      policy: StandardPolicy.standard.make(), workload: trace.workload,
      cluster: SimulatedCluster(nodeCount: 20, poolBytes: 4000 << 30), options: SimulationOptions(largeBytes: 500 << 30)
    )
    let running = threadSeconds() - start
    let peak = Double(ProcessMemory.bytes(.mostResident)) / 1e6
    print(
      "\nHistory of \(options.rows) rows (\(fixed(Double(bytes) / 1e6, 0)) MB), one row per change: checked in "
        + "\(fixed(reading, 1)) s, read again and simulated in \(fixed(running, 1)) s of processor time, "
        + "\(result.counts.requests) requests, \(result.counts.pending) Pending; at most \(fixed(afterReading, 0)) MB "
        + "resident after the check, \(fixed(peak, 0)) MB after the run")
    return [
      "rows.count \(options.rows) count", "rows.check \(fixed(reading, 1)) s", "rows.simulate \(fixed(running, 1)) s",
      "rows.resident \(fixed(peak, 0)) MB",
    ]
  }

  /// Writes arrivals and deletions, about as many alive at a time as a cluster of 20 nodes holds; returns the bytes.
  private func write(_ path: String) throws -> Int {
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else { throw UsageError(description: "cannot write \(path)") }
    defer { try? file.close() }
    var random = SeededRandom(seed: 1)
    var living: [Int] = []
    var (text, bytes, next) = ("time,event,volume,size\n", 0, 0)
    for row in 0..<options.rows {
      if living.count < Self.alive || random.unit() < 0.5 {
        let size = 1 + Int(random.unit() * random.unit() * random.unit() * 300)
        text += "\(row),arrive,v\(next),\(size)Gi\n"
        living.append(next)
        next += 1
      } else {
        let index = Int(random.unit() * Double(living.count))
        text += "\(row),delete,v\(living[index]),\n"
        living.swapAt(index, living.count - 1)
        living.removeLast()
      }
      guard text.utf8.count > 1 << 20 || row == options.rows - 1 else { continue }
      try file.write(contentsOf: Data(text.utf8))
      bytes += text.utf8.count
      text = ""
    }
    return bytes
  }
}
