import ArgumentParser
import AsyncHTTPClient
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import NIOSSL
import PlatformHarness

/// From creating an app to the first 200 at its https endpoint, on a whole instance with real containers.
struct AppBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Create-to-first-200 of apps whose image is present, and idle memory.")

  @Option(help: "How many apps are created, one after the other.")
  var apps = 30

  @Flag(help: "Give each app a volume of 300 MiB.")
  var volume = false

  func run() async throws {
    let instance = try PlatformInstance(name: "bench", configuration: "release", poolSize: "20Gi")
    try await instance.orItsLog {
      try await instance.up(logLevel: "warning")
      try await measure(instance)
      try await instance.down()
    }
  }

  private func measure(_ instance: PlatformInstance) async throws {
    // Idle: nothing happened for a while but heartbeats.
    try await Task.sleep(for: .seconds(15))
    let idle = try await InstanceMemory(of: instance).total

    let transport = try HTTPSTransport(Kubeconfig.load(explicit: "\(instance.state)/kubeconfig").connection())
    let client = KubernetesClient(transport, userAgent: "benchmarks")
    let names = (0..<apps).map { "bench-\($0)" }
    var configuration = HTTPClient.Configuration()
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .file(instance.authority)
    configuration.tlsConfiguration = tls
    configuration.dnsOverride = Dictionary(
      uniqueKeysWithValues: names.map { ("\($0).dev.demo.localhost", "127.0.0.1") })
    let http = HTTPClient(configuration: configuration)

    var seconds: [Double] = []
    for name in names {
      var app = KubernetesObject(.applications, namespace: "demo-dev", name: name)
      app.spec = ["image": "nagaya.local/hello:1", "port": 8080]
      if volume { app.spec["volumes"] = [["name": "data", "mountPath": "/data", "size": "300Mi"]] }
      let start = ContinuousClock.now
      try await client.create(app, as: .applications)
      while true {
        let answer = try? await http.execute(
          HTTPClientRequest(url: instance.url(name)), timeout: .seconds(5))
        if answer?.status == .ok { break }
        guard ContinuousClock.now - start < .seconds(60) else { throw NeverReady(name: name) }
        try await Task.sleep(for: .milliseconds(5))
      }
      seconds.append((ContinuousClock.now - start).seconds)
    }
    let busy = try await InstanceMemory(of: instance).total
    try await http.shutdown()

    var table = TextTable("create to first 200", "apps", "min s", "p50 s", "p99 s")
    table.add(
      volume ? "with a volume" : "without volume", "\(apps)", Self.text(seconds.min() ?? .nan),
      Self.text(seconds.percentile(0.5)), Self.text(seconds.percentile(0.99)))
    table.add("reference platform, shown in its talk", "", "", "12", "")
    table.show()
    print("memory of all processes (Pss): \(Int(idle)) MB idle, \(Int(busy)) MB with \(apps) apps (containerd apart)")
    let prefix = volume ? "app.create_to_first_200.volume" : "app.create_to_first_200"
    var figures = [
      Figure(name: "\(prefix).p50", value: seconds.percentile(0.5), unit: "s", digits: 3),
      Figure(name: "\(prefix).p99", value: seconds.percentile(0.99), unit: "s", digits: 3),
    ]
    if !volume { figures.append(Figure(name: "platform.idle_resident", value: idle, unit: "MB", digits: 1)) }
    Figure.show(figures)
  }

  struct NeverReady: Error, CustomStringConvertible {
    let name: String
    var description: String { "app \(name) did not answer within 60 s" }
  }

  private static func text(_ value: Double) -> String { String((value * 1000).rounded() / 1000) }

  /// Megabytes (10^6 bytes) of resident memory.
  static func resident(of pid: Int32) throws -> Double {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    let kibibytes = line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .nan
    return kibibytes * 1024 / 1e6
  }
}
