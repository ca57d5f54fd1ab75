import ArgumentParser
import AsyncHTTPClient
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import NIOSSL
import PlatformHarness

/// This build beside an earlier one, in one run: walls must not cost what was won.
struct ComparisonBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "App starts, API writes and lists, and edge requests of this build beside an earlier build's.",
    discussion: """
      Both are whole instances, driven only from outside (https), one after the other and in turns. For the peer, check out
      the commit elsewhere and run there: swift build -c release --product nagaya
      """)

  @Option(help: "The directory that holds the earlier build's `nagaya`.")
  var baseline: String

  @Option(help: "How often each build has its turn.")
  var rounds = 3

  @Option(help: "Apps of each kind that are created in a turn.")
  var apps = 15

  @Option(help: "Objects that are created in a turn.")
  var objects = 5_000

  @Option(help: "Requests through the edge in a turn.")
  var requests = 20_000

  func validate() throws {
    guard FileManager.default.isExecutableFile(atPath: "\(baseline)/nagaya") else {
      throw ValidationError("there is no nagaya in \(baseline)")
    }
    guard rounds > 0, apps > 0, objects > 0, requests > 0 else { throw ValidationError("counts start at one") }
  }

  func run() async throws {
    var ours = Samples()
    var theirs = Samples()
    for round in 1...rounds {
      report("round \(round) of \(rounds)")
      try await turn("compare-base", programs: baseline, &theirs)
      try await turn("compare", programs: "\(PlatformInstance.root)/.build/release", &ours)
    }
    var table = TextTable("what", "ours", "earlier", "ours / earlier")
    var figures: [Figure] = []
    for measure in Measure.allCases {
      let (here, there) = (ours.median(measure), theirs.median(measure))
      // Above one is worse, for times and for rates alike.
      let cost = measure.isRate ? there / here : here / there
      table.add(
        measure.title, "\(measure.text(here)) \(measure.unit)", "\(measure.text(there)) \(measure.unit)",
        String(Figure.rounded(cost)))
      figures.append(Figure(name: "compare.\(measure.rawValue)", value: cost, unit: "x"))
    }
    table.show()
    print("the last column: cost of this build, 1 = as before, below 1 = better")
    Figure.show(figures)
  }

  private func turn(_ name: String, programs: String, _ samples: inout Samples) async throws {
    let instance = try PlatformInstance(name: name, programs: programs, poolSize: "20Gi")
    try await instance.orItsLog {
      try await instance.up(logLevel: "warning")
      try await measure(instance, &samples)
      try await instance.down()
    }
  }

  private func measure(_ instance: PlatformInstance, _ samples: inout Samples) async throws {
    let transport = try HTTPSTransport(Kubeconfig.load(explicit: "\(instance.state)/kubeconfig").connection())
    let client = KubernetesClient(transport, userAgent: "benchmarks")
    for volume in [false, true] {
      for index in 0..<apps {
        let start = ContinuousClock.now
        let name = "\(volume ? "volume" : "plain")-\(index)"
        let url = try await Self.create(name, volume: volume, client)
        try await EdgeVisitor.with(url) { try await $0.untilItAnswers() }
        samples.add(volume ? .firstAnswerWithVolume : .firstAnswer, (ContinuousClock.now - start).seconds)
        if index > 0 { try await client.delete(.applications, namespace: "demo-dev", name: name) }
      }
    }
    let rate = try await EdgeVisitor.with(try await Self.endpoint("plain-0", client)) {
      try await $0.rate(requests: requests, connections: 32)
    }
    samples.add(.edgeRequests, rate)
    try await client.create(KubernetesObject(.namespaces, name: Self.namespace), as: .namespaces)
    samples.add(.creates, try await creates(client))
    for _ in 0..<5 {
      let start = ContinuousClock.now
      let response = try await client.send(APIRequest(.get, Resource.configMaps.path(namespace: Self.namespace)))
      switch response.body {
      case .stream(let stream): for try await _ in stream {}
      case .bytes: break
      }
      samples.add(.list, (ContinuousClock.now - start).seconds * 1000)
    }
    await transport.shutdown()
  }

  /// Creates an app and returns the address that its status names.
  private static func create(_ name: String, volume: Bool, _ client: KubernetesClient) async throws -> String {
    var app = KubernetesObject(.applications, namespace: "demo-dev", name: name)
    app.spec = ["image": "nagaya.local/hello:1", "port": 8080]
    if volume { app.spec["volumes"] = [["name": "data", "mountPath": "/data", "size": "300Mi"]] }
    try await client.create(app, as: .applications)
    return try await endpoint(name, client)
  }

  private static func endpoint(_ name: String, _ client: KubernetesClient) async throws -> String {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      let app = try await client.get(.applications, namespace: "demo-dev", name: name)
      if let url = app.status["endpoint"].string { return url }
      try await Task.sleep(for: .milliseconds(2))
    }
    throw AppBenchmark.NeverReady(name: name)
  }

  /// Of no tenant: tenants' environments have bounds.
  private static let namespace = "comparison"

  private func creates(_ client: KubernetesClient) async throws -> Double {
    let (writers, objects) = (64, objects)
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          for index in stride(from: writer, to: objects, by: writers) {
            try await client.create(CreateBenchmark.configMap(index, namespace: Self.namespace), as: .configMaps)
          }
        }
      }
      try await group.waitForAll()
    }
    return Double(objects) / (ContinuousClock.now - start).seconds
  }
}

extension ComparisonBenchmark {
  enum Measure: String, CaseIterable {
    case firstAnswer = "create_to_first_200", firstAnswerWithVolume = "create_to_first_200_volume"
    case creates = "api_creates", list = "api_list", edgeRequests = "edge_requests"

    var title: String {
      switch self {
      case .firstAnswer: "create to first 200, p50"
      case .firstAnswerWithVolume: "the same with a volume of 300 MiB, p50"
      case .creates: "API creates of 4 KB over https, 64 writers"
      case .list: "API list of all of them over https, p50"
      case .edgeRequests: "requests through the edge, 32 at once"
      }
    }
    var isRate: Bool { self == .creates || self == .edgeRequests }
    var unit: String { isRate ? "/s" : self == .list ? "ms" : "s" }
    func text(_ value: Double) -> String { isRate ? String(Int(value)) : String((value * 1000).rounded() / 1000) }
  }

  struct Samples {
    private var values: [Measure: [Double]] = [:]
    mutating func add(_ measure: Measure, _ value: Double) { values[measure, default: []].append(value) }
    func median(_ measure: Measure) -> Double { (values[measure] ?? []).percentile(0.5) }
  }
}

/// Calls one app at the edge; it takes every certificate, because each build has an authority of its own.
private struct EdgeVisitor {
  private let url: String
  private let http: HTTPClient

  init(_ url: String) throws {
    guard let host = URL(string: url)?.host else { throw AppBenchmark.NeverReady(name: url) }
    self.url = url
    var configuration = HTTPClient.Configuration(certificateVerification: .none)
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    // `*.localhost` is this machine by definition (RFC 6761, section 6.3), which the resolver need not know.
    configuration.dnsOverride = [host: "127.0.0.1"]
    http = HTTPClient(configuration: configuration)
  }

  static func with<Result>(_ url: String, _ body: (EdgeVisitor) async throws -> Result) async throws -> Result {
    let visitor = try EdgeVisitor(url)
    do {
      let result = try await body(visitor)
      try await visitor.http.shutdown()
      return result
    } catch {
      try await visitor.http.shutdown()
      throw error
    }
  }

  func untilItAnswers() async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if (try? await status()) == 200 { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw AppBenchmark.NeverReady(name: url)
  }

  /// - Returns: answers 200 in a second.
  func rate(requests: Int, connections: Int) async throws -> Double {
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<connections {
        group.addTask {
          for _ in stride(from: worker, to: requests, by: connections) {
            guard try await status() == 200 else { throw AppBenchmark.NeverReady(name: url) }
          }
        }
      }
      try await group.waitForAll()
    }
    return Double(requests) / (ContinuousClock.now - start).seconds
  }

  private func status() async throws -> UInt {
    let response = try await http.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
    _ = try await response.body.collect(upTo: 1 << 20)
    return response.status.code
  }
}
