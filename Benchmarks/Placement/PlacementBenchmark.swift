import Placement
import PlacementSimulator
import PlacementTraces

/// Compares placement policies on the standard cases; see `docs/placement.md`.
///
/// An executable of its own, so that it builds in a minute without the rest of the house.
@main
struct PlacementBenchmark {
  static func main() async throws {
    let options: BenchmarkOptions
    do {
      options = try BenchmarkOptions(CommandLine.arguments.dropFirst())
    } catch {
      print("\(error)\n\n\(BenchmarkOptions.usage)")
      exitWithFailure()
    }
    var figures: [String] = []
    if options.cases.contains(.kubecon) { figures += try await SpareCase.kubeCon(options).run() }
    if options.cases.contains(.growth) { figures += try await SpareCase.growth(options).run() }
    if options.cases.contains(.trace) { figures += try await TraceCase(options).run() }
    if options.cases.contains(.speed) { figures += try SpeedCase(options).run() }
    print("")
    for figure in figures { print("figure: \(figure)") }
  }
}
