import APIServer
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore

/// Durable creates: by the API server within the process and over https, and by etcd beside it.
struct CreateBenchmark {
  let objects: Int
  let directory: String
  private let writers = 64

  init(objects: Int, directory: String) {
    self.objects = objects
    self.directory = directory
  }

  /// - Returns: the rate within the process, the memory per byte, and the figures of https and etcd.
  func measure(_ server: APIServer, _ client: KubernetesClient, table: inout TextTable) async throws -> (
    rate: Figure, memory: Figure, others: [Figure]
  ) {
    let before = try AppBenchmark.resident(of: getpid())
    let countersBefore = server.counters
    let inProcess = try await run { index in
      try await client.create(Self.configMap(index, namespace: "bench"), as: .configMaps)
    }
    let after = try AppBenchmark.resident(of: getpid())
    let counters = server.counters
    let commits = counters.commits - countersBefore.commits
    let bytes = Double(counters.storedBytes - countersBefore.storedBytes)
    let ratio = (after - before) * 1e6 / bytes
    let secure = try await overHTTPS(server)
    var etcd: Run?
    var missing = "no etcd found"
    if let program = EtcdPeer.find() {
      // Our own figures stand without the peer's.
      do { etcd = try await self.etcd(program) } catch { missing = "etcd failed: \(error)" }
    }

    let peer = etcd.map { "\(Int($0.rate)) /s" } ?? missing
    func compared(_ run: Run) -> String { etcd.map { String(Figure.rounded(run.rate / $0.rate)) } ?? "" }
    table.add(
      "creates of 4 KB objects, \(writers) writers, in process; etcd over gRPC", "\(Int(inProcess.rate)) /s", peer,
      compared(inProcess), "\(commits) commits for \(objects) writes; \(inProcess.processor)")
    table.add(
      "the same over https (HTTP/2, TLS, client certificate)", "\(Int(secure.rate)) /s", peer, compared(secure),
      "server and client: \(secure.processor)" + (etcd.map { "; etcd's client: \($0.processor)" } ?? ""))
    table.add(
      "resident bytes per JSON byte", String(Figure.rounded(ratio)), "", "",
      "\(Int(bytes / 1e6)) MB of JSON, \(Int(after - before)) MB resident more")
    var others = [Figure(name: "api.creates_per_second_https", value: secure.rate, unit: "1/s", digits: 0)]
    if let etcd { others.append(Figure(name: "etcd.creates_per_second", value: etcd.rate, unit: "1/s", digits: 0)) }
    return (
      Figure(name: "api.creates_per_second", value: inProcess.rate, unit: "1/s", digits: 0),
      Figure(name: "api.resident_per_json_byte", value: ratio, unit: "x"), others
    )
  }

  // MARK: One run

  private struct Run {
    let rate: Double
    /// Processor time of this process: `12.1 s user, 3.4 s system`.
    let processor: String
  }

  /// Calls `create` for every index, from so many tasks at once.
  private func run(_ create: @escaping @Sendable (Int) async throws -> Void) async throws -> Run {
    let (writers, objects) = (writers, objects)
    let before = Self.processorTime()
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          for index in stride(from: writer, to: objects, by: writers) { try await create(index) }
        }
      }
      try await group.waitForAll()
    }
    let seconds = (ContinuousClock.now - start).seconds
    let after = Self.processorTime()
    return Run(
      rate: Double(objects) / seconds,
      processor:
        "\(Figure.rounded(after.user - before.user)) s user, \(Figure.rounded(after.system - before.system)) s system")
  }

  private static func processorTime() -> (user: Double, system: Double) {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return (seconds(usage.ru_utime), seconds(usage.ru_stime))
  }

  private func overHTTPS(_ server: APIServer) async throws -> Run {
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
    var logger = Logger(label: "benchmarks")
    logger.logLevel = .error
    let front = try HTTPSFront(
      port: 0, certificate: try authority.issueServer(commonName: "api", dnsNames: [], ipAddresses: ["127.0.0.1"]),
      authenticator: try Authenticator(authority: authority), handler: server, logger: logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await front.run() }
      defer { group.cancelAll() }
      let leaf = try authority.issueClient(commonName: "bench", organizations: [UserInfo.mastersGroup])
      let transport = try HTTPSTransport(
        Kubeconfig.Connection(
          server: "https://127.0.0.1:\(try await front.port)", authority: Array(authority.certificatePEM.utf8),
          clientCertificate: Array(leaf.certificatePEM.utf8), clientKey: Array(leaf.privateKeyPEM.utf8),
          token: nil, origin: "benchmark"))
      let client = KubernetesClient(transport, userAgent: "benchmark")
      let result = try await run { index in
        try await client.create(Self.configMap(index, namespace: "secure"), as: .configMaps)
      }
      await transport.shutdown()
      return result
    }
  }

  private func etcd(_ program: String) async throws -> Run {
    try await EtcdPeer.with(program, directory: "\(directory)/etcd") { etcd in
      try await run { index in
        let object = Self.configMap(index, namespace: "bench")
        guard
          try await etcd.create(
            Array("/registry/configmaps/bench/\(object.name)".utf8), object.json.encoded())
        else { throw APIStatus.alreadyExists(.configMaps, object.name) }
      }
    }
  }

  // MARK: Objects

  /// Letters to cut payloads from: to ask the kernel for randomness letter by letter costs more than the create.
  private static let letters: String = {
    var random = SystemRandomNumberGenerator()
    var state = random.next() | 1
    return String(
      decoding: (0..<1 << 16).map { _ -> UInt8 in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return 97 + UInt8(truncatingIfNeeded: state >> 32) % 26
      }, as: UTF8.self)
  }()

  /// A ConfigMap of about 4 KB of JSON.
  static func configMap(_ index: Int, namespace: String) -> KubernetesObject {
    var object = KubernetesObject(
      .configMaps, namespace: namespace, name: "object-\(index)", labels: ["app": "bench-\(index % 100)"])
    let letters = letters.utf8
    let start = letters.index(letters.startIndex, offsetBy: index &* 7919 % (letters.count - 3700))
    object["data"]["payload"] = .string(String(letters[start..<letters.index(start, offsetBy: 3700)]) ?? "")
    return object
  }
}
