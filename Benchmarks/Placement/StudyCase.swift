import Foundation
import Placement
import PlacementReports
import PlacementSimulator
import PlacementTraces

/// One case by which policies are compared: its study, and the figures that are read from it.
struct StudyCase: Sendable {
  let options: BenchmarkOptions
  var study: Study
  /// Of the figures: `kubecon.spare.default`.
  let prefix: String
  /// Whether the figures are of a case of its own, or a variant of one.
  var spareName = "spare"

  init(_ options: BenchmarkOptions, _ study: Study, prefix: String) {
    self.options = options
    self.study = study
    self.prefix = prefix
    self.study.policies = options.policies
    self.study.seeds = options.seedList
    self.study.search = .spare
  }

  static func kubeCon(_ options: BenchmarkOptions) -> StudyCase {
    var study = StandardStudy.kubecon.study(requests: options.requests)
    study.title += ", without moves"
    return StudyCase(options, study, prefix: "kubecon")
  }

  /// Without moves, and with at most one for a request or an expansion that fits nowhere.
  static func growth(_ options: BenchmarkOptions) -> (without: StudyCase, with: StudyCase) {
    let study = StandardStudy.growth.study(requests: options.requests)
    var without = StudyCase(options, study, prefix: "growth")
    without.study.title += ", without moves"
    without.study.name = "growth-without-moves"
    without.spareName = "spare_without_moves"
    var with = StudyCase(options, study, prefix: "growth")
    with.study.title += ", at most one move for a failure"
    with.study.repair = .moves(atMost: 1)
    return (without, with)
  }

  /// `nil` without a trace.
  static func trace(_ options: BenchmarkOptions) throws -> StudyCase? {
    guard let path = options.trace else {
      print("\nTrace: no file given (--trace FILE, or make bench-placement TRACE=FILE); this case is left out")
      return nil
    }
    let workload = DiskOnly(try TraceFile.open([path]).workload)
    let node = NodeDescription(
      name: "node", pools: [PoolDescription(capacityBytes: options.nodeGiB << 30)])
    let study = Study(
      name: "trace", title: "Trace of a large cluster, disk only",
      scenario: .history(workload, node: node, deviceClasses: ["default"], count: options.traceNodes), policies: [],
      seeds: [], warmup: 0)
    return StudyCase(options, study, prefix: "trace")
  }

  /// Runs the study, prints its table and who beats the default, writes its report, and returns the figures.
  /// - Parameter variant: what was found of the same events with other moves allowed.
  func run(like variant: StudyResult? = nil) async throws -> (figures: [String], result: StudyResult) {
    let settings = options.custom
    let runner = StudyRunner(
      width: options.jobs,
      progress: { FileHandle.standardError.write(Data("\(study.name) \($0.done)/\($0.total) \($0.words)\n".utf8)) },
      making: { policy, classes, seed in
        if let settings, policy == .expectedLoss {
          return ExpectedLossPolicy(settings: settings, classCount: classes)
        }
        return policy.make(classCount: classes, seed: seed)
      })
    let result = try await runner.run(study, like: variant)
    let table = StudyTable(result)
    print("\n\(study.title): \(study.summary), the first is \(options.firstSeed)")
    printTable([table.head] + table.rows)
    if let words = StudyTable.boundWords(result) { print(words) }
    for line in Verdict.beaten(result) { print("NOTE: \(line)") }
    if let verdict = Verdict(result) { print(verdict.text) }
    if let directory = options.report {
      let path = "\(directory)/\(study.name)"
      _ = try await ReportFiles(directory: path, converter: nil).write(result, command: options.command)
      print("report: \(path)/index.html")
    }
    fflush(nil)
    return (figures(result), result)
  }

  private func figures(_ result: StudyResult) -> [String] {
    if prefix == "trace" { return traceFigures(result) }
    var lines: [String] = []
    for outcome in result.outcomes + (result.freeMoves.map { [$0] } ?? []) {
      let name = outcome.label.replacing(" ", with: "-")
      // Where a seed has no answer the least that it may be counts: 80 %.
      let spare = Estimate(outcome.spares.map { 100 * ($0 ?? 0.8) })?.mean ?? .nan
      lines.append("\(prefix).\(spareName).\(name) \(fixed(spare)) %")
    }
    if let bound = result.bounds.spare { lines.append("\(prefix).\(spareName).bound \(fixed(100 * bound.mean)) %") }
    if study.repair != .none {
      for outcome in result.outcomes {
        let moved = outcome.limitEstimate(\.counts.movedRate).map { 100 * $0.mean } ?? .nan
        lines.append("\(prefix).moved.\(outcome.label) \(fixed(moved)) %")
      }
    }
    if spareName == "spare" {
      for outcome in result.outcomes {
        let stranded = outcome.estimate { $0.mean(\.stranded) }.map { 100 * $0.mean } ?? .nan
        lines.append("\(prefix).stranded.\(outcome.label) \(fixed(stranded)) %")
      }
    }
    return lines
  }

  private func traceFigures(_ result: StudyResult) -> [String] {
    var lines: [String] = []
    for outcome in result.outcomes + (result.freeMoves.map { [$0] } ?? []) {
      let mean = outcome.nodesNeeded?.mean ?? .nan
      let name = outcome.label.replacing(" ", with: "-")
      lines.append("trace.nodes.\(name) \(fixed(mean, mean == mean.rounded() ? 0 : 1)) count")
    }
    if let bound = result.bounds.nodes { lines.append("trace.nodes.bound_of_the_criterion \(bound) count") }
    if let bound = result.bounds.nodesL2 { lines.append("trace.nodes.bound \(bound) count") }
    return lines
  }
}

/// A workload with everything but its volumes left out.
struct DiskOnly: Workload {
  let whole: any Workload

  init(_ whole: any Workload) { self.whole = whole }

  func events(seed: UInt64) throws -> any SimulationEventStream { Stream(whole: try whole.events(seed: seed)) }

  private struct Stream: SimulationEventStream {
    var whole: any SimulationEventStream

    mutating func next() throws -> SimulationEvent? {
      guard var event = try whole.next() else { return nil }
      if case .arrive(let demand) = event.change { event.change = .arrive(PlacementDemand(volumes: demand.volumes)) }
      return event
    }
  }
}
