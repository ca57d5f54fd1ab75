import ArgumentParser
import Foundation
import JSONDocument
import PlatformHarness

/// The processes of an instance: how fast all are ready, what they take when nothing happens, and how fast one that is killed
/// is back.
struct PartsBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parts", abstract: "Start, idle memory by process, and restarts of an instance's parts.")

  @Option(help: "How often each part is killed.")
  var kills = 10

  @Option(help: "Starts; the median counts.")
  var starts = 5

  func run() async throws {
    let instance = try PlatformInstance(name: "parts", configuration: "release")
    try await instance.orItsLog {
      var ready: [Double] = []
      for start in 0..<starts {
        let began = ContinuousClock.now
        try await instance.up(logLevel: "warning")
        ready.append((ContinuousClock.now - began).seconds)
        if start < starts - 1 { try await instance.down() }
      }
      // Nothing happens but heartbeats.
      try await Task.sleep(for: .seconds(30))
      let memory = try await InstanceMemory(of: instance)
      memory.table.show()
      let restarts = try await restart(instance)
      Figure.show([
        Figure(name: "up.ready", value: ready.percentile(0.5), unit: "s"),
        Figure(name: "up.idle_pss_total", value: memory.total, unit: "MB", digits: 1),
        Figure(name: "part.restart.p99", value: restarts.percentile(0.99), unit: "s"),
      ])
      try await instance.down()
    }
  }

  /// Kills each part in turn.
  /// - Returns: seconds until each was ready again.
  private func restart(_ instance: PlatformInstance) async throws -> [Double] {
    var table = TextTable("killed, and back", "times", "p50 s", "worst s")
    var all: [Double] = []
    for part in try record(instance)["parts"].elements.compactMap({ $0["name"].string }) {
      var seconds: [Double] = []
      for _ in 0..<kills {
        let before = try find(part, instance)["pid"].int ?? 0
        // What was ready for half a minute is started again at once; what ends over and over waits longer each time.
        try await Task.sleep(for: .seconds(31))
        let began = ContinuousClock.now
        kill(Int32(clamping: before), SIGKILL)
        while true {
          let now = try find(part, instance)
          if now["state"].string == "ready", let pid = now["pid"].int, pid != before { break }
          guard ContinuousClock.now - began < .seconds(60) else { throw NeverBack(part: part) }
          try await Task.sleep(for: .milliseconds(5))
        }
        seconds.append((ContinuousClock.now - began).seconds)
      }
      table.add(
        part, "\(kills)", String(Figure.rounded(seconds.percentile(0.5))), String(Figure.rounded(seconds.max() ?? .nan))
      )
      all += seconds
    }
    table.show()
    return all
  }

  private func record(_ instance: PlatformInstance) throws -> JSONValue {
    try JSONValue(parsing: Array(try Data(contentsOf: URL(fileURLWithPath: "\(instance.run)/nagaya.json"))))
  }

  private func find(_ part: String, _ instance: PlatformInstance) throws -> JSONValue {
    // It is written anew by renaming: always whole.
    try record(instance)["parts"].elements.first { $0["name"].string == part } ?? .null
  }

  struct NeverBack: Error, CustomStringConvertible {
    let part: String
    var description: String { "the part \(part) was not ready within 60 s after it was killed" }
  }
}

/// What the processes of an instance take of memory, shared pages by their share (Pss); containerd and containers apart.
struct InstanceMemory {
  let table: TextTable
  /// Megabytes (10^6 bytes).
  let total: Double

  init(of instance: PlatformInstance) async throws {
    let lines = try await instance.shell.succeed(
      """
      for p in $(pgrep -f -- '[n]agaya (up|serve|keep-layers|guard-layers).*\(instance.directory)/'); do
        echo "$(awk '/^Pss:/ {print $2}' /proc/$p/smaps_rollup) $(tr '\\0' ' ' < /proc/$p/cmdline | cut -d' ' -f2-3)"
      done
      """)
    var table = TextTable("process", "Pss MB")
    var total = 0.0
    for line in lines.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1)
      guard words.count == 2, let kibibytes = Double(words[0]) else { continue }
      let name = words[1].split(separator: " ").filter { !$0.hasPrefix("-") && !$0.hasPrefix("/") }
      table.add(name.joined(separator: " "), String(Figure.rounded(kibibytes * 1024 / 1e6)))
      total += kibibytes * 1024 / 1e6
    }
    self.table = table
    self.total = total
  }
}

extension PlatformInstance {
  /// Runs a measurement on it and takes it away whole; of one that fails the log's end is printed.
  func orItsLog(_ body: () async throws -> Void) async throws {
    do { try await body() } catch {
      print(await log())
      await destroy()
      throw error
    }
    await destroy()
  }
}
