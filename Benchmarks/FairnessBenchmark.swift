import APIServer
import ArgumentParser
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore

/// What one user's flood does to another user's requests.
///
/// Open loop: requests leave at their time, whether earlier ones were answered or not, and count from that time. The
/// flood comes from a process in a CPU cgroup of its own. In the quiet run it goes, at the same rate, to a server that
/// only answers 429, so that what the generator itself takes of the machine is in both.
struct FairnessBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairness",
    abstract: "Another user's p99 under a flood of lists, watches, writes, reviews, connections to API and edge.")

  @Option(help: "Seconds of each run.")
  var seconds = 10

  @Option(help: "The other user's requests per second.")
  var rate = 60

  @Option(help: "How often each kind has its turn; the median counts.")
  var rounds = 3

  func run() async throws {
    let directory = "/tmp/nagaya-fairness-\(UInt32.random(in: 0..<1 << 24))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
    for user in ["other", "greedy"] {
      let leaf = try authority.issueClient(commonName: user, organizations: [])
      try Data(leaf.certificatePEM.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(user).crt"))
      try Data(leaf.privateKeyPEM.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(user).key"))
    }
    let group = GeneratorGroup(quota: 0.5)
    defer { group.remove() }
    let server = try FairnessPart.start(["serve", directory])
    let refusing = try FairnessPart.start(["refuse", directory])
    let edge = try FairnessPart.start(["edge", directory])
    defer {
      for process in [server, refusing, edge] {
        process.terminate()
        process.waitUntilExit()
      }
    }
    let port = try await FairnessPart.port("serve", directory)
    let refusingPort = try await FairnessPart.port("refuse", directory)
    let edgePort = try await FairnessPart.port("edge", directory)

    var table = TextTable("flood", "rate", "p99 quiet", "p99 under it", "times")
    var worst = 0.0
    for kind in FloodKind.allCases {
      var ratios: [Double] = []
      var quiets: [Double] = []
      var louds: [Double] = []
      for _ in 0..<rounds {
        let asked = kind.isOfEdge ? edgePort : port
        quiets.append(try await measure(kind, floodTo: refusingPort, asked, directory, group))
        louds.append(try await measure(kind, floodTo: asked, asked, directory, group))
        ratios.append(louds[louds.count - 1] / quiets[quiets.count - 1])
      }
      let ratio = ratios.percentile(0.5)
      worst = max(worst, ratio)
      table.add(
        kind.rawValue, "\(kind.rate)/s", "\(Figure.rounded(quiets.percentile(0.5))) ms",
        "\(Figure.rounded(louds.percentile(0.5))) ms", "\(Figure.rounded(ratio))")
      report("\(kind.rawValue): \(Figure.rounded(ratio)) x")
    }
    print("generator: \(group.note)")
    table.show()
    Figure.show([Figure(name: "fairness.other_p99", value: worst, unit: "x")])
  }

  /// The other user's p99 in milliseconds.
  private func measure(
    _ kind: FloodKind, floodTo floodPort: Int, _ port: Int, _ directory: String, _ group: GeneratorGroup
  ) async throws -> Double {
    let flood = try FairnessPart.start([
      "flood", directory, "--kind", kind.rawValue, "--port", String(floodPort), "--seconds", String(seconds + 2),
    ])
    group.add(flood.processIdentifier)
    defer {
      flood.terminate()
      flood.waitUntilExit()
    }
    // The flood has begun before the first request counts.
    try await Task.sleep(for: .seconds(1))
    if kind.isOfEdge {
      let client = EdgeFairness.Client(of: "other", port: port, from: "127.0.0.2")
      let milliseconds = try await openLoop { _ in
        let status = try await client.get()
        guard status == 200 else { throw ValidationError("the edge answered the other tenant's client \(status)") }
      }
      await client.shutdown()
      return milliseconds.percentile(0.99)
    }
    let transport = try HTTPSTransport(FairnessPart.connection("other", port, directory))
    let client = KubernetesClient(transport, userAgent: "fairness")
    let milliseconds = try await openLoop { index in
      switch index % 3 {
      case 0: _ = try await client.get(.configMaps, namespace: "other", name: "mine-1")
      case 1: _ = try await client.list(.configMaps, namespace: "other")
      default:
        var object = KubernetesObject(.configMaps, namespace: "written", name: "")
        object["metadata"]["generateName"] = "w-"
        _ = try await client.create(object, as: .configMaps)
      }
    }
    await transport.shutdown()
    return milliseconds.percentile(0.99)
  }

  /// Sends requests at their times and tells how long after that each was answered, in milliseconds.
  private func openLoop(_ request: @escaping @Sendable (_ index: Int) async throws -> Void) async throws -> [Double] {
    var milliseconds: [Double] = []
    try await withThrowingTaskGroup(of: Double.self) { requests in
      let start = ContinuousClock.now
      for index in 0..<(seconds * rate) {
        let due = start + .seconds(1) * index / rate
        try await Task.sleep(until: due, clock: .continuous)
        requests.addTask {
          try await request(index)
          return (ContinuousClock.now - due).seconds * 1000
        }
      }
      for try await one in requests { milliseconds.append(one) }
    }
    return milliseconds
  }
}
