import ArgumentParser
import JSONDocument
import KubernetesAPI
import Placement
import PlacementReports
import PlacementSimulator
import PlacementTraces

struct Advise: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "From a history of volumes: how many nodes you need, what can still be placed, which moves help.",
    discussion: """
      HISTORY is one or several outputs of kubectl get pvc -A -o json (a date in the file's name, else the file's own, is \
      the time of the snapshot; a daily one is plenty), or a CSV file as of nagaya simulate.

      Claims that name their node stand where they stand; anything else is replayed under the policy. The risk of a size \
      is the probability that more such requests come within the lead time than still fit, if nothing is deleted meanwhile.

      EXAMPLES
        kubectl get pvc -A -o json > claims-$(date -u +%FT%TZ).json
        nagaya advise claims-*.json --nodes 20 --node-size 2Ti
        kubectl get volumepools -o json > pools.json
        nagaya advise claims-*.json --pools pools.json --size 1Ti --lead-time 30d
        nagaya advise trace.csv --nodes 700 --node-size 3576Gi -o json
      """)

  @Argument(help: ArgumentHelp("Snapshots of claims, or a CSV file.", valueName: "history"), completion: .file())
  var history: [String] = []

  @OptionGroup(title: "Cluster") var nodes: NodeOptions

  @Option(
    help: ArgumentHelp(
      "The nodes' pools, from kubectl get volumepools -o json, instead of --nodes.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var pools: String?

  @Option(help: ArgumentHelp("A size to tell about in any case; may be repeated.", valueName: "size"))
  var size: [QuantityArgument] = []

  @Option(help: ArgumentHelp("The share of requests that may stay Pending.", valueName: "share")) var target = 0.001

  @Option(help: ArgumentHelp("How long it takes to get another node: 14d, 48h.", valueName: "time"))
  var leadTime = DayTimeSpan(seconds: 14 * 86_400)

  @Option(help: "The policy that places volumes.") var policy: StandardPolicy = .standard

  @Option(help: "How many helpful moves to name.") var moves = 3

  @OptionGroup(title: "Reading") var reading: TraceOptions

  @Option(name: [.short, .long], help: "table or json.") var output: TableOrJSON = .table

  func validate() throws {
    guard !history.isEmpty else {
      throw ValidationError("name a history: nagaya advise claims-*.json --nodes 20 --node-size 2Ti")
    }
    guard (0...1).contains(target) else { throw ValidationError("--target must be 0 to 1") }
    guard (0...100).contains(moves) else { throw ValidationError("--moves must be 0 to 100") }
  }

  func run() async throws {
    let line = ProgressLine()
    let isTerminal = Console.current.isTerminal
    let advice = try await runningFailures {
      let trace = try TraceFile.open(history, reading.options)
      let cluster = try pools.map(PoolsFile.cluster) ?? nodes.required(deviceClasses: trace.summary.deviceClasses)
      let advisor = Advisor(
        cluster: cluster, policy: policy, pendingLimit: target, leadTime: Double(leadTime.seconds),
        sizes: size.compactMap { Quantity($0.text)?.value }, moveCount: moves)
      return try advisor.advise(trace) { count in
        if isTerminal { line.show("trying \(count) nodes") }
      }
    }
    if isTerminal { line.clear() }
    for note in advice.notes { Console.note("note: \(note)") }
    if output == .json {
      Console.current.write(String(decoding: advice.json.encodedForReading(), as: UTF8.self))
    } else {
      show(advice)
    }
  }

  private func show(_ advice: Advice) {
    Console.print(advice.headline)
    Console.print()
    Console.current.write(TableText.text(advice.riskTable))
    guard let wanted = advice.movesForText, moves > 0 else { return }
    Console.print()
    if advice.moves.isEmpty {
      Console.print("No single move makes room for another \(wanted).")
    } else {
      Console.print("Moves that make room for more volumes of \(wanted), best first:")
      Console.current.write(TableText.text(advice.moveTable))
    }
  }
}

extension StandardPolicy: ExpressibleByArgument {}
