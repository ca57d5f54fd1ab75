import Foundation

/// Cold starts of several images: a table and figures for each, and one table of all.
struct StartsReport {
  let roundTrip: Int
  let bandwidth: Double
  /// Gets the plot of the first image.
  let plot: String?

  private typealias Runs = [ImageMode: [ColdStart.Run]]

  func measure(_ images: [ColdStarts], _ modes: [ImageMode], runs: Int) async throws -> [Figure] {
    var figures: [Figure] = []
    var summary = TextTable(
      "seconds to the first line", modes.map(\.rawValue) + ["best of ours / overlayfs", "best of ours / SOCI"])
    for starts in images {
      let results = try await starts.measure(modes, runs: runs)
      figures += Self.show(starts.image, results, modes)
      summary.add(starts.image.rawValue, Self.line(results, modes))
      if let plot, starts.image == images.first?.image {
        let seconds = modes.map { (mode: $0, runs: (results[$0] ?? []).map(\.seconds)) }
        let svg = StartsPlot(image: starts.image, roundTrip: roundTrip, bandwidth: bandwidth).svg(seconds)
        try svg.write(toFile: plot, atomically: true, encoding: .utf8)
      }
    }
    if images.count > 1 {
      print("")
      summary.show()
    }
    return figures
  }

  private static func median(_ runs: [ColdStart.Run]?, _ value: (ColdStart.Run) -> Double) -> Double {
    (runs ?? []).map(value).percentile(0.5)
  }

  private static func line(_ results: Runs, _ modes: [ImageMode]) -> [String] {
    // The others profit from an earlier start.
    let ours = modes.filter { $0.isOurs && ![.nagayaEstargzProfiled, .nagayaEstargzShared].contains($0) }.map {
      median(results[$0], \.seconds)
    }.min()
    func ratio(_ peer: ImageMode) -> String {
      let value = (ours ?? .nan) / median(results[peer], \.seconds)
      return value.isNaN ? "" : "\(Figure.rounded(value))"
    }
    return modes.map { "\(Figure.rounded(median(results[$0], \.seconds)))" } + [ratio(.overlayfs), ratio(.soci)]
  }

  private static func show(_ image: BenchImage, _ results: Runs, _ modes: [ImageMode]) -> [Figure] {
    var table = TextTable(
      "\(image.rawValue): from nothing to the first line", "pull s", "start s", "MB", "requests", "of overlayfs",
      "of SOCI")
    var figures: [Figure] = []
    func ratio(_ mode: ImageMode, _ peer: ImageMode) -> String {
      let value = median(results[mode], \.seconds) / median(results[peer], \.seconds)
      return value.isNaN ? "" : "\(Figure.rounded(value))"
    }
    for mode in modes {
      let seconds = median(results[mode], \.seconds)
      let megabytes = median(results[mode]) { Double($0.bytes) / 1e6 }
      let requests = median(results[mode]) { Double($0.requests) }
      table.add(
        mode.words, "\(Figure.rounded(median(results[mode], \.pullSeconds)))", "\(Figure.rounded(seconds))",
        "\((megabytes * 10).rounded() / 10)", "\(Int(requests))", ratio(mode, .overlayfs), ratio(mode, .soci))
      let name = "coldstart.\(image.rawValue).\(mode.rawValue)"
      figures += [
        Figure(name: "\(name).seconds", value: seconds, unit: "s"),
        Figure(name: "\(name).bytes", value: megabytes, unit: "MB", digits: 1),
        Figure(name: "\(name).requests", value: requests, unit: "count", digits: 0),
      ]
    }
    print("")
    table.show()
    return figures
  }
}
