import ArgumentParser
import Glibc

/// Measures Nagaya; every subcommand prints a table and, last, `figure: NAME VALUE UNIT` lines.
@main
struct Benchmarks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmarks", abstract: "Measure Nagaya, beside a peer in the same run where there is one.",
    subcommands: [
      APIBenchmark.self, AppBenchmark.self, ComparisonBenchmark.self, CrashTest.self, FairnessBenchmark.self,
      FairnessPart.self, FuzzCommand.self, HooksBenchmark.self, ImagesBenchmark.self, ImagesCrashTest.self,
      MoveBenchmark.self, NetworkBenchmark.self, PartsBenchmark.self, StorageBenchmark.self, StorageCrashTest.self,
    ])
}

/// What one benchmark found out.
struct Figure {
  let name: String
  let value: Double
  let unit: String
  var digits = 2

  /// `figure: api.list_10000 84.20 ms`
  var line: String { "figure: \(name) \(text) \(unit)" }
  var text: String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let rounded = (value * scale).rounded() / scale
    return digits == 0 ? String(Int(rounded)) : String(rounded)
  }

  /// To two digits, for tables.
  static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

  static func show(_ figures: [Figure]) {
    print("")
    for figure in figures { print(figure.line) }
  }
}

/// Prints a line that is seen at once, also where the output is a file.
func report(_ line: String) {
  print(line)
  fflush(nil)
}

/// Rows of text with aligned columns.
struct TextTable {
  var rows: [[String]]

  init(_ header: String...) { rows = [header] }
  init(_ first: String, _ header: [String]) { rows = [[first] + header] }

  mutating func add(_ cells: String...) { rows.append(cells) }
  mutating func add(_ first: String, _ cells: [String]) { rows.append([first] + cells) }

  func show() {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      print(cells.joined(separator: "  "))
    }
  }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}

extension [Double] {
  /// The value below which the given share lies; nearest rank.
  func percentile(_ share: Double) -> Double {
    guard !isEmpty else { return .nan }
    let sorted = self.sorted()
    return sorted[Swift.min(sorted.count - 1, Swift.max(0, Int((share * Double(count)).rounded(.up)) - 1))]
  }
}
