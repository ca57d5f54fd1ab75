import Placement
import PlacementReports
import PlacementSimulator
import PlacementTraces

/// Compares placement policies on the standard cases; see `docs/placement.md`.
///
/// An executable of its own, so that it builds in a few minutes without the rest of the house.
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
    // First, while nothing else has left freed memory behind that would be taken again unseen.
    let memory = options.cases.contains(.memory) ? MemoryCase(options).run() : []
    var figures: [String] = []
    if options.cases.contains(.kubecon) { figures += try await StudyCase.kubeCon(options).run().figures }
    if options.cases.contains(.growth) {
      let growth = StudyCase.growth(options)
      let without = try await growth.without.run()
      figures += without.figures + (try await growth.with.run(like: without.result).figures)
    }
    if options.cases.contains(.trace) { figures += try await StudyCase.trace(options)?.run().figures ?? [] }
    figures += memory
    if options.cases.contains(.rows) { figures += try RowsCase(options).run() }
    if options.cases.contains(.speed) { figures += try SpeedCase(options).run() }
    print("")
    for figure in figures { print("figure: \(figure)") }
  }
}
