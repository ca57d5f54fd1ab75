import ArgumentParser
import Placement
import PlacementReports
import PlacementSimulator
import PlacementTraces

struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare placement policies on a workload or on your own history of volumes.",
    discussion: """
      WHAT runs is one of:
        kubecon, growth, mixed   the cases by which policies are compared (docs/placement.md)
        FILE.yaml                a workload that you describe: nodes, sizes, lifetimes, growth, bursts, losses of nodes
        FILE.csv                 a history, one line per change:  time,event,volume,size[,class,cpu,memory]
                                 or one line per volume:          volume,created,deleted,size[,class,cpu,memory]
                                 event is arrive, grow or delete; times are seconds or RFC 3339; sizes bytes or 10Gi
        FILE.json ...            snapshots of kubectl get pvc -A -o json; several of them make a history

      Every policy meets the same requests, seed by seed. Below them stand what free moves would reach (everything packed \
      anew, for nothing, whenever something does not fit), and the bound that no policy can beat. With --spare it is searched how much spare capacity (of a \
      history: how many nodes) each policy needs; that takes several runs each.

      EXAMPLES
        nagaya simulate kubecon
        nagaya simulate kubecon --spare --seeds 10 --report report
        nagaya simulate growth --moves 1 --spare --seeds 10 --report report
        nagaya simulate growth --load 0.8 --policies default,most-free,best-fit
        nagaya simulate claims-*.json --nodes 20 --node-size 2Ti --spare
        nagaya simulate trace.csv --nodes 700 --node-size 3576Gi -o json

      A DESCRIBED WORKLOAD
        nodes: [{count: 20, size: 2000Gi, cpu: 32, memory: 128Gi}]
        sizes: [{size: 10Gi, weight: 95}, {size: 1Ti, weight: 5, cpu: 4}]
        lifetimes: [{mean: 12h}, {mean: 30d}]
        load: 0.8                                    # or arrivalsPerHour: 20
        growth: {probability: 0.3, factor: 2}        # optional, as all below
        apps: {replicas: 3}
        bursts: {factor: 5, share: 0.05, length: 1h}
        events: [{at: 10d, lose: node-3}, {at: 11d, return: node-3}, {at: 20d, drain: node-5}]
      """, aliases: ["sim"])

  @Argument(help: ArgumentHelp("A case's name or files.", valueName: "what"), completion: .file()) var what: [String] =
    []

  @OptionGroup(title: "Cluster") var nodes: NodeOptions

  @Option(help: ArgumentHelp("Policies, divided by commas. Default: all.", valueName: "names"))
  var policies: PolicyList = PolicyList(policies: StandardPolicy.allCases)

  @Option(help: "How many seeds, each a history of its own.") var seeds = 3

  @Option(help: "The first seed.") var seed: UInt64 = 1

  @Option(help: "The offered load, as a share of the capacity.") var load: Double?

  @Option(help: "How many requests arrive in all. Default: 100,000 for the named cases.") var requests: Int?

  @Option(help: "Moves that may be made for a request or an expansion that fits nowhere.") var moves = 0

  @Flag(help: "Search the spare capacity, or the number of nodes, that each policy needs.") var spare = false

  @Option(help: ArgumentHelp("The share of requests that may stay Pending.", valueName: "share")) var target = 0.001

  @OptionGroup(title: "Reading") var reading: TraceOptions

  @Option(name: [.short, .long], help: "table or json.") var output: TableOrJSON = .table

  @Option(
    help: ArgumentHelp("Write a page with plots, and the plots as SVG and PNG, there.", valueName: "directory"),
    completion: .directory)
  var report: String?

  @Flag(inversion: .prefixedNo, help: "Write PNG files beside the SVG files (needs rsvg-convert).") var png = true

  func validate() throws {
    guard !what.isEmpty else { throw ValidationError("name a case (kubecon, growth, mixed) or a file") }
    guard (1...1000).contains(seeds) else { throw ValidationError("--seeds must be 1 to 1000") }
    guard load.map({ (0.01...3).contains($0) }) ?? true else { throw ValidationError("--load must be 0.01 to 3") }
    guard requests.map({ (100...1_000_000_000).contains($0) }) ?? true else {
      throw ValidationError("--requests must be 100 to 1,000,000,000")
    }
    guard (0...1).contains(target) else { throw ValidationError("--target must be 0 to 1") }
    guard (0...8).contains(moves) else { throw ValidationError("--moves must be 0 to 8") }
  }

  func run() async throws {
    let (study, notes) = try readingFailures { try makeStudy() }
    let bar = ProgressBar()
    let runner = StudyRunner { bar.show(done: $0.done, of: $0.total, $0.words) }
    let result = try await runningFailures { try await runner.run(study) }
    bar.clear()
    try show(result, notes)
    if let report { try await write(result, notes, to: report) }
  }

  private func makeStudy() throws -> (Study, notes: [String]) {
    var study: Study
    var notes: [String] = []
    if what.count == 1, let named = StandardStudy(rawValue: what[0]) {
      study = named.study(
        load: load ?? 0.8, requests: requests ?? 100_000, cluster: try nodes.cluster(deviceClasses: ["default"]))
    } else {
      switch try SimulationInput.open(what, reading.options) {
      case .workload(let file): study = try described(file)
      case .history(let trace):
        study = try history(trace)
        notes = trace.summary.warnings.lines
      }
    }
    study.policies = policies.policies
    study.seeds = (0..<UInt64(seeds)).map { seed &+ $0 }
    study.repair = moves > 0 ? .moves(atMost: moves) : .none
    study.search = spare ? .spare : .none
    study.pendingLimit = target
    return (study, notes)
  }

  private func described(_ file: WorkloadFile) throws -> Study {
    var workload = file.workload
    let cluster = try nodes.cluster(deviceClasses: file.cluster.deviceClasses) ?? file.cluster
    if let requests { workload.requests = requests }
    let load = load ?? file.load
    if let load { workload.setLoad(load, capacityBytes: cluster.capacityBytes) }
    return Study(
      name: "workload", title: file.title, scenario: .described(workload, cluster, load: load), policies: [], seeds: [])
  }

  private func history(_ trace: TraceFile) throws -> Study {
    let cluster = try nodes.required(deviceClasses: trace.summary.deviceClasses)
    // A recorded history is the same for every seed; seeds only matter to policies that draw lots.
    return Study(
      name: "history", title: what.count == 1 ? what[0] : "\(what.count) snapshots of claims",
      scenario: .history(
        trace.workload, node: cluster.nodes[0], deviceClasses: cluster.deviceClasses, count: cluster.nodes.count),
      policies: [], seeds: [], warmup: 0)
  }

  private func show(_ result: StudyResult, _ notes: [String]) throws {
    for note in notes { Console.note("warning: \(note)") }
    if output == .json {
      Console.current.write(String(decoding: result.json.encodedForReading(), as: UTF8.self))
      return
    }
    Console.print("\(result.study.title): \(result.study.summary)")
    Console.print()
    let table = StudyTable(result)
    Console.current.write(TableText.text([table.head] + table.rows))
    if let words = StudyTable.boundWords(result) { Console.print("\n\(words)") }
    if let verdict = Verdict(result) { Console.print("\n\(verdict.text)") }
  }

  private func write(_ result: StudyResult, _ notes: [String], to directory: String) async throws {
    let files = ReportFiles(directory: directory, converter: png ? PNGConverter() : nil)
    do {
      let written = try await files.write(result, command: commandLine, notes: notes)
      Console.note("report: \(written[0]) and \(written.count - 1) files beside it")
    } catch let failure as PNGConverter.Failure {
      throw CommandFailure("\(failure)", remedy: failure.remedy)
    } catch let failure as ReportFiles.Failure {
      throw CommandFailure("\(failure)", remedy: "name a directory that can be written with --report")
    }
  }

  /// The line that gives the same figures.
  private var commandLine: String {
    var words = ["nagaya", "simulate"] + what + nodes.words
    if policies.policies != StandardPolicy.allCases { words += ["--policies", policies.description] }
    words += ["--seeds", "\(seeds)", "--seed", "\(seed)"]
    if let load { words += ["--load", "\(load)"] }
    if let requests { words += ["--requests", "\(requests)"] }
    if moves > 0 { words += ["--moves", "\(moves)"] }
    if spare { words.append("--spare") }
    if target != 0.001 { words += ["--target", "\(target)"] }
    return words.joined(separator: " ")
  }
}
