import ArgumentParser
import LinuxSystem
import NodeAgent

/// What a pod's place in the network's rules costs, on the kernel's real tables.
struct NetworkBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "network", abstract: "Time to put a pod into the network's rules, on a node with many (as root).")

  @Option(help: "How many pods the node has when the last one comes.")
  var pods = 250

  func run() async throws {
    guard let subnet = IPv4Block("10.255.0.0/16"), let network = PodNetwork(name: "bench", subnet: subnet) else {
      throw ValidationError("the benchmark's own network has no good name")
    }
    let times = try await PodFirewall.timeAdmissions(pods, in: network).map { $0.seconds * 1000 }
    var table = TextTable("rules of a pod", "pods", "min ms", "p50 ms", "p99 ms", "last ten, p50 ms")
    func text(_ value: Double) -> String { String(Figure.rounded(value)) }
    table.add(
      "one transaction each", "\(pods)", text(times.min() ?? .nan), text(times.percentile(0.5)),
      text(times.percentile(0.99)), text(Array(times.suffix(10)).percentile(0.5)))
    table.show()
    Figure.show([Figure(name: "network.rules_per_pod", value: times.percentile(0.5), unit: "ms")])
  }
}
