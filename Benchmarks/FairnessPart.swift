import APIServer
import ArgumentParser
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore

/// One of the processes of `fairness`.
struct FairnessPart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairness-part", abstract: "A process of the benchmark fairness.", shouldDisplay: false)

  enum Role: String, ExpressibleByArgument { case serve, refuse, edge, flood }

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
    case .edge:
      try await EdgeFairness.serve(directory, logger: Self.logger) { port in
        try tell(port)
        // Until it is ended by whoever started it.
        try await Task.sleep(for: .seconds(3600))
      }
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
      try tell(try await front.port)
      try await group.waitForAll()
    }
  }

  /// Says where it listens.
  private func tell(_ port: Int) throws {
    try String(port).write(toFile: "\(directory)/\(role.rawValue).port", atomically: true, encoding: .utf8)
  }

  private func flood() async throws {
    if kind.isOfEdge { return await floodEdge() }
    let connection = try Self.connection("greedy", port, directory)
    let shared = try HTTPSTransport(connection)
    let (kind, request) = (kind, kind.request)
    await openLoop {
      let transport = kind.isOfConnections ? try HTTPSTransport(connection) : shared
      let response = try await transport.send(request)
      if case .stream(let stream) = response.body { for try await _ in stream {} }
      if kind.isOfConnections { await transport.shutdown() }
    }
    await shared.shutdown()
  }

  private func floodEdge() async {
    let (kind, port) = (kind, port)
    @Sendable func client() -> EdgeFairness.Client { .init(of: "greedy", port: port, from: "127.0.0.1") }
    let shared = client()
    await openLoop {
      let one = kind.isOfConnections ? client() : shared
      do { _ = try await one.get() } catch {}
      if kind.isOfConnections { await one.shutdown() }
    }
    await shared.shutdown()
  }

  /// Begins requests at their times, but for those beyond a thousand under way.
  private func openLoop(_ request: @escaping @Sendable () async throws -> Void) async {
    await withDiscardingTaskGroup { group in
      let start = ContinuousClock.now
      let under = Outstanding()
      for index in 0..<(kind.rate * seconds) {
        try? await Task.sleep(until: start + .seconds(1) * index / kind.rate, clock: .continuous)
        guard await under.begin() else { continue }
        group.addTask {
          do { try await request() } catch {}
          await under.end()
        }
      }
      group.cancelAll()
    }
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
