import Placement
import PlacementSimulator

/// How much capacity each policy needs to keep spare in one of the standard cases.
struct SpareCase: Sendable {
  let name: String
  let title: String
  let cluster: SimulatedCluster
  let workload: @Sendable (Double, Int) -> WorkloadDescription
  /// The kinds of repair that are compared: nothing, or one move for a failure.
  let repairs: [SimulationOptions.Repair]
  let options: BenchmarkOptions

  static func kubeCon(_ options: BenchmarkOptions) -> SpareCase {
    SpareCase(
      name: "kubecon", title: "KubeCon case: 20 nodes of 2,000 GiB, small volumes and 1.5 % of 1,000 GiB, no moves",
      cluster: StandardCases.kubeConCluster, workload: { StandardCases.kubeCon(load: $0, requests: $1) },
      repairs: [.none], options: options)
  }

  static func growth(_ options: BenchmarkOptions) -> SpareCase {
    SpareCase(
      name: "growth", title: "Growth case: 20 nodes of 4,000 GiB, 30 % of the volumes double once",
      cluster: StandardCases.growthCluster, workload: { StandardCases.growth(load: $0, requests: $1) },
      repairs: [.none, .moves(atMost: 1)], options: options)
  }

  /// One policy's answers, by seed.
  private struct Answers: Sendable {
    var policy: String
    var repair: SimulationOptions.Repair
    var spare: [Double] = []
    var runs: [SimulationResult] = []

    func interval(_ value: (SimulationResult) -> Double) -> Interval { Interval(runs.map(value)) }
  }

  /// Prints the table and returns the figures.
  func run() async throws -> [String] {
    print("\n\(title); \(options.seeds) seeds, \(options.requests) requests each")
    var figures: [String] = []
    for repair in repairs {
      let answers = try await search(repair)
      printTable(
        [["policy", "spare %", "Pending % of large", "failed expansions %", "moved %", "stranded %", "slots"]]
          + answers.map(row))
      figures += answers.flatMap { lines($0) }
      verdict(answers, repair)
    }
    return figures
  }

  private func search(_ repair: SimulationOptions.Repair) async throws -> [Answers] {
    var all: [Answers] = []
    try await withThrowingTaskGroup(of: (Int, Answers).self) { group in
      var results: [Int: Answers] = [:]
      var next = 0
      while next < options.policies.count || !group.isEmpty {
        while next < options.policies.count, next - results.count < options.jobs {
          let index = next
          group.addTask { (index, try answers(options.policies[index], repair)) }
          next += 1
        }
        if let (index, answers) = try await group.next() { results[index] = answers }
      }
      all = results.sorted { $0.key < $1.key }.map(\.value)
    }
    print(repair == .none ? "\nwithout moves" : "\nat most one move for a request or an expansion that fits nowhere")
    return all
  }

  private func answers(_ policy: String, _ repair: SimulationOptions.Repair) throws -> Answers {
    var answers = Answers(policy: policy, repair: repair)
    var guess = 0.8
    for seed in 1...UInt64(options.seeds) {
      let answer = try SpareSearch().highestLoad(guess: guess) { load in
        try Simulator.run(
          policy: options.policy(policy, seed: seed), workload: workload(load, options.requests), cluster: cluster,
          options: runOptions(seed, repair))
      }
      guess = answer.load
      answers.spare.append(answer.spare * 100)
      if let result = answer.result { answers.runs.append(result) }
    }
    return answers
  }

  private func runOptions(_ seed: UInt64, _ repair: SimulationOptions.Repair) -> SimulationOptions {
    let counted = Double(options.requests) * 0.75
    var run = SimulationOptions(
      seed: seed, warmupRequests: options.requests / 4, repair: repair, largeBytes: 1000 << 30, samples: 64)
    // Beyond these the run has failed already: more requests or expansions than there can be would have to follow.
    run.stopAfterPending = Int(counted * 0.001) + 1
    run.stopAfterFailedExpansions = Int(counted * 0.32 * 0.01) + 1
    return run
  }

  private func row(_ answers: Answers) -> [String] {
    let large = answers.interval {
      $0.counts.largeRequests == 0 ? 0 : 100 * Double($0.counts.largePending) / Double($0.counts.largeRequests)
    }
    return [
      answers.policy, Interval(answers.spare).text, large.text,
      answers.interval { 100 * $0.counts.failedExpansionRate }.text,
      answers.interval { 100 * $0.counts.movedRate }.text,
      answers.interval { 100 * $0.mean(\.stranded) }.text, answers.interval { $0.mean { Double($0.slots) } }.text,
    ]
  }

  private func lines(_ answers: Answers) -> [String] {
    let spare = fixed(Interval(answers.spare).mean)
    if name == "growth", answers.repair == .none { return ["growth.spare_without_moves.\(answers.policy) \(spare) %"] }
    var lines = ["\(name).spare.\(answers.policy) \(spare) %"]
    if answers.repair != .none {
      lines.append("\(name).moved.\(answers.policy) \(fixed(answers.interval { 100 * $0.counts.movedRate }.mean)) %")
    }
    return lines
  }

  /// Says who beats the default by more than the interval of the differences, seed by seed.
  private func verdict(_ answers: [Answers], _ repair: SimulationOptions.Repair) {
    guard let own = answers.first(where: { $0.policy == "default" }) else { return }
    var beaten = false
    for other in answers where other.policy != own.policy {
      let difference = Interval(zip(own.spare, other.spare).map { $0 - $1 })
      guard difference.mean - difference.half > 0 else { continue }
      beaten = true
      print("NOTE: \(other.policy) needs less spare than the default, by \(difference.text) points")
    }
    if !beaten { print("no policy needs less spare than the default by more than the interval of the differences") }
  }
}
