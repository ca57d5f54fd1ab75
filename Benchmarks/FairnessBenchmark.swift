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
    abstract: "Another user's p99 under a flood of lists, watches, writes, reviews, connections.")

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
    defer {
      for process in [server, refusing] {
        process.terminate()
        process.waitUntilExit()
      }
    }
    let port = try await FairnessPart.port("serve", directory)
    let refusingPort = try await FairnessPart.port("refuse", directory)

    var table = TextTable("flood", "rate", "p99 quiet", "p99 under it", "times")
    var worst = 0.0
    for kind in FloodKind.allCases {
      var ratios: [Double] = []
      var quiets: [Double] = []
      var louds: [Double] = []
      for _ in 0..<rounds {
        quiets.append(try await measure(kind, floodTo: refusingPort, port, directory, group))
        louds.append(try await measure(kind, floodTo: port, port, directory, group))
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
    let transport = try HTTPSTransport(FairnessPart.connection("other", port, directory))
    let client = KubernetesClient(transport, userAgent: "fairness")
    var milliseconds: [Double] = []
    try await withThrowingTaskGroup(of: Double.self) { requests in
      let start = ContinuousClock.now
      for index in 0..<(seconds * rate) {
        let due = start + .seconds(1) * index / rate
        try await Task.sleep(until: due, clock: .continuous)
        requests.addTask {
          switch index % 3 {
          case 0: _ = try await client.get(.configMaps, namespace: "other", name: "mine-1")
          case 1: _ = try await client.list(.configMaps, namespace: "other")
          default:
            var object = KubernetesObject(.configMaps, namespace: "written", name: "")
            object["metadata"]["generateName"] = "w-"
            _ = try await client.create(object, as: .configMaps)
          }
          return (ContinuousClock.now - due).seconds * 1000
        }
      }
      for try await one in requests { milliseconds.append(one) }
    }
    await transport.shutdown()
    return milliseconds.percentile(0.99)
  }
}

/// What a flood is made of.
enum FloodKind: String, CaseIterable, ExpressibleByArgument {
  case lists, watches, writes, reviews, connections

  /// Requests per second.
  var rate: Int {
    switch self {
    case .lists: 40
    case .watches: 40
    case .writes: 400
    case .reviews: 600
    case .connections: 60
    }
  }

  var request: APIRequest {
    switch self {
    case .lists: APIRequest(.get, "/api/v1/namespaces/load/configmaps")
    case .watches: APIRequest(.get, "/api/v1/namespaces/load/configmaps", query: [("watch", "1")])
    case .writes:
      APIRequest(
        .post, "/api/v1/namespaces/flood/configmaps", contentType: "application/json",
        body: Array(#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"f-"},"data":{"k":"v"}}"#.utf8))
    case .reviews:
      APIRequest(
        .post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", contentType: "application/json",
        body: Array(#"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods","namespace":"load"}}}"#.utf8))
    case .connections: APIRequest(.get, "/healthz")
    }
  }
}

/// A CPU cgroup (v1) for the generator, where the machine has them.
struct GeneratorGroup {
  private let path = "/sys/fs/cgroup/cpu/nagaya-fairness-\(ProcessInfo.processInfo.processIdentifier)"
  let note: String

  /// - Parameter quota: processors.
  init(quota: Double) {
    let period = 20_000
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      try String(period).write(toFile: "\(path)/cpu.cfs_period_us", atomically: false, encoding: .utf8)
      try String(Int(Double(period) * quota)).write(
        toFile: "\(path)/cpu.cfs_quota_us", atomically: false, encoding: .utf8)
      note = "in a CPU cgroup of its own, \(quota) processors"
    } catch { note = "NOT in a CPU cgroup of its own (\(path) cannot be made): the figures are not to be trusted" }
  }

  func add(_ process: Int32) {
    try? String(process).write(toFile: "\(path)/cgroup.procs", atomically: false, encoding: .utf8)
  }

  func remove() { rmdir(path) }
}

/// One of the processes of `fairness`.
struct FairnessPart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairness-part", abstract: "A process of the benchmark fairness.", shouldDisplay: false)

  enum Role: String, ExpressibleByArgument { case serve, refuse, flood }

  @Argument var role: Role
  @Argument var directory: String
  @Option var kind = FloodKind.lists
  @Option var port = 0
  @Option var seconds = 10

  static func start(_ arguments: [String]) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = ["fairness-part"] + arguments
    try process.run()
    return process
  }

  static func port(_ role: String, _ directory: String) async throws -> Int {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
      if let text = try? String(contentsOfFile: "\(directory)/\(role).port", encoding: .utf8), let port = Int(text) {
        return port
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw ValidationError("the part \(role) of the benchmark did not start within 120 s")
  }

  static func connection(_ user: String, _ port: Int, _ directory: String) throws -> Kubeconfig.Connection {
    func bytes(_ name: String) throws -> [UInt8] {
      Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)")))
    }
    return Kubeconfig.Connection(
      server: "https://127.0.0.1:\(port)", authority: try bytes("pki/ca.crt"),
      clientCertificate: try bytes("\(user).crt"), clientKey: try bytes("\(user).key"))
  }

  func run() async throws {
    switch role {
    case .serve: try await serve()
    case .refuse: try await run(Refusing(), services: [])
    case .flood: try await flood()
    }
  }

  private struct Refusing: APIRequestHandling {
    func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
      APIServer.refusal(
        APIStatus(.tooManyRequests, "Too many requests, please try again later.", retryAfterSeconds: 1))
    }
  }

  private func serve() async throws {
    let server = try await APIServer(
      store: SQLiteObjectStore(path: "\(directory)/objects.sqlite"), registry: .standard,
      virtualResources: { _, authorizer in [AccessReviews(authorizer: authorizer)] }, logger: Self.logger)
    let client = server.client()
    for name in ["load", "other", "flood", "written"] {
      try await client.create(KubernetesObject(.namespaces, name: name), as: .namespaces)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<32 {
        group.addTask {
          for index in stride(from: writer, to: 3000, by: 32) {
            try await client.create(CreateBenchmark.configMap(index, namespace: "load"), as: .configMaps)
          }
        }
      }
      try await group.waitForAll()
    }
    for index in 0..<10 {
      var object = KubernetesObject(.configMaps, namespace: "other", name: "mine-\(index)")
      object["data"] = ["key": "value"]
      try await client.create(object, as: .configMaps)
    }
    try await run(server, services: [server])
  }

  private func run(_ handler: any APIRequestHandling, services: [APIServer]) async throws {
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
    let front = try HTTPSFront(
      port: 0,
      certificate: try authority.issueServer(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]),
      authenticator: try Authenticator(authority: authority), handler: handler, logger: Self.logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for service in services { group.addTask { try await service.run() } }
      group.addTask { try await front.run() }
      try String(try await front.port).write(
        toFile: "\(directory)/\(role.rawValue).port", atomically: true, encoding: .utf8)
      try await group.waitForAll()
    }
  }

  private func flood() async throws {
    let connection = try Self.connection("greedy", port, directory)
    let shared = try HTTPSTransport(connection)
    let (kind, request) = (kind, kind.request)
    await withDiscardingTaskGroup { group in
      let start = ContinuousClock.now
      let under = Outstanding()
      for index in 0..<(kind.rate * seconds) {
        try? await Task.sleep(until: start + .seconds(1) * index / kind.rate, clock: .continuous)
        guard await under.begin() else { continue }
        group.addTask {
          do {
            let transport = kind == .connections ? try HTTPSTransport(connection) : shared
            let response = try await transport.send(request)
            if case .stream(let stream) = response.body { for try await _ in stream {} }
            if kind == .connections { await transport.shutdown() }
          } catch {}
          await under.end()
        }
      }
      group.cancelAll()
    }
    await shared.shutdown()
  }

  /// Requests of the flood under way; more are not begun.
  private actor Outstanding {
    private var count = 0
    func begin() -> Bool {
      guard count < 1000 else { return false }
      count += 1
      return true
    }
    func end() { count -= 1 }
  }

  private static let logger: Logger = {
    var logger = Logger(label: "fairness")
    logger.logLevel = .critical
    return logger
  }()
}
