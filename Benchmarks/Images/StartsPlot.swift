import Charts

/// The plot of docs/images.md: how long each way takes from nothing to a program's first line.
struct StartsPlot {
  let image: BenchImage
  let roundTrip: Int
  let bandwidth: Double

  /// - Parameter seconds: all runs of each mode; shown are the median and the range.
  func svg(_ seconds: [(mode: ImageMode, runs: [Double])]) -> String {
    BarChart(
      name: "images-starts", title: "From nothing to a program's first line",
      subtitle: """
        The image \(image.rawValue), its registry \(roundTrip) ms and \(Int(bandwidth)) MB/s away. \
        Median, fastest and slowest of \(seconds.map(\.runs.count).max() ?? 0) runs; less is better.
        """,
      axis: Axis("seconds", .number),
      bars: seconds.map { mode, runs in
        BarChart.Bar(
          mode.words, value: runs.percentile(0.5), interval: (runs.min() ?? 0)...(runs.max() ?? 0),
          isEmphasised: mode.rawValue.hasPrefix("nagaya"))
      }
    ).image().document
  }
}
