import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import TestSupport

/// A real https front on loopback, its certificates in files, and the real curl and kubectl to drive it.
struct FrontHarness: Sendable {
  let directory: String
  let authority: CertificateAuthority
  let front: HTTPSFront
  let port: Int
  /// Begins the graceful shutdown.
  let shutDown: @Sendable () async -> Void

  var url: String { "https://127.0.0.1:\(port)" }
  var authorityPath: String { "\(directory)/pki/ca.crt" }

  /// Serves `handler` while `body` runs; tokens `reader-token` (user reader) and `dev-token` (user dev, group devs) are known.
  static func with(
    _ handler: any APIRequestHandling, objects: (any ObjectReading)? = nil, audit: AuditLog? = nil,
    limits: HTTPSFront.Limits = .init(), _ body: @escaping @Sendable (FrontHarness) async throws -> Void
  ) async throws {
    let directory = "/tmp/nagaya-front-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
    let tokens = [("reader-token", "reader", ""), ("dev-token", "dev", "devs")].map { token, user, groups in
      "\(GateHash.hexadecimal(of: token)) \(user) \(groups)\n"
    }.joined()
    try Data("# tokens\n\(tokens)".utf8).write(to: URL(fileURLWithPath: "\(directory)/tokens"))
    let front = try HTTPSFront(
      port: 0,
      certificate: try authority.issueServer(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]),
      authenticator: try Authenticator(
        authority: authority, tokenFile: "\(directory)/tokens", objects: objects,
        accounts: SigningKeys(), revocations: Revocations(path: "\(directory)/revocations.json")),
      handler: handler, audit: audit, limits: limits, logger: quietLogger)
    let group = ServiceGroup(services: [front], logger: quietLogger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      let harness = FrontHarness(
        directory: directory, authority: authority, front: front, port: try await front.port,
        shutDown: { await group.triggerGracefulShutdown() })
      do { try await body(harness) } catch {
        await group.triggerGracefulShutdown()
        throw error
      }
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  /// Writes a certificate and its key; returns curl's arguments for them.
  func write(_ certificate: IssuedCertificate, _ name: String) throws -> [String] {
    try Data(certificate.certificatePEM.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name).crt"))
    try Data(certificate.privateKeyPEM.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name).key"))
    return ["--cert", "\(directory)/\(name).crt", "--key", "\(directory)/\(name).key"]
  }

  func client(_ user: String, _ groups: [String] = []) throws -> [String] {
    try write(try authority.issueClient(commonName: user, organizations: groups), "client-\(UUID().uuidString)")
  }

  /// The answer's status and body, as curl saw them.
  func curl(_ path: String, _ arguments: [String]) async throws -> (status: Int, exit: Int32, body: String) {
    let result = try await Command.run(
      "curl",
      ["-sS", "--max-time", "60", "--cacert", authorityPath, "-w", "\n%{http_code}", "\(url)\(path)"] + arguments)
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (Int(lines.last ?? "") ?? 0, result.status, lines.dropLast().joined(separator: "\n") + result.errors)
  }

  /// A kubeconfig for a user, and the real kubectl with it.
  func kubectl(_ user: Kubeconfig.User, _ arguments: [String]) async throws -> Command.Result {
    let path = "\(directory)/kubeconfig-\(UUID().uuidString)"
    try Kubeconfig(
      name: "test", cluster: .init(server: url, authority: .file(authorityPath)), user: user
    ).write(to: path)
    return try await Command.run(
      Command.engine("kubectl"), ["--kubeconfig", path, "--cache-dir", "\(directory)/cache"] + arguments)
  }
}

/// Real programs.
enum Command {
  struct Result: Sendable {
    let status: Int32
    let output: String
    let errors: String
  }

  /// A program of the engines' directory (`NAGAYA_ENGINES`, else `.engines` of the package), else of PATH.
  static func engine(_ name: String) -> String {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
    let directory = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(package)/.engines"
    return [("\(directory)/bin/\(name)"), "\(directory)/\(name)"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    } ?? name
  }

  static func run(_ program: String, _ arguments: [String]) async throws -> Result {
    let running = try start(program, arguments)
    return await running.finished()
  }

  static func start(_ program: String, _ arguments: [String]) throws -> Running { try Running(program, arguments) }

  /// A program under way; its output goes to files, so that it never blocks, and its end is polled, so that what it
  /// leaves running behind it is not waited for.
  final class Running: Sendable {
    private let identifier: pid_t
    private let outputPath: String
    private let errorPath: String

    init(_ program: String, _ arguments: [String]) throws {
      let base = "/tmp/nagaya-command-\(UUID().uuidString)"
      (outputPath, errorPath) = ("\(base).out", "\(base).err")
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
      posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
      // Neither the test's sockets nor its blocked signals are the program's.
      for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
        if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      }
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var signals = sigset_t()
      sigemptyset(&signals)
      posix_spawnattr_setsigmask(&attributes, &signals)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
      var words = ([program] + arguments).map { strdup($0) } + [nil]
      defer { for word in words { free(word) } }
      var identifier: pid_t = 0
      let error = posix_spawnp(&identifier, program, &actions, &attributes, &words, environ)
      guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EINVAL) }
      self.identifier = identifier
    }

    var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }

    /// As if the machine had lost it: no goodbye to the server.
    func kill() { Foundation.kill(identifier, SIGKILL) }

    /// It no longer runs, and takes nothing from its connections, but is still there.
    func stop() { Foundation.kill(identifier, SIGSTOP) }

    func finished() async -> Result {
      var status: Int32 = 0
      _ = await eventually(within: .seconds(120)) { waitpid(identifier, &status, WNOHANG) != 0 }
      let exit = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
      let errors = (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? ""
      let result = Result(status: exit, output: output, errors: errors)
      for path in [outputPath, errorPath] { try? FileManager.default.removeItem(atPath: path) }
      return result
    }
  }
}

private let quietLogger: Logger = {
  var logger = Logger(label: "test.front")
  logger.logLevel = .critical
  return logger
}()

/// Answers with what it was asked; `/watch` streams one line and then nothing; `/count` streams ten lines.
struct MirrorHandler: APIRequestHandling {
  func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
    switch request.path {
    case "/watch":
      let (lines, source) = AsyncStream<[UInt8]>.makeStream()
      source.yield(Array("begin\n".utf8))
      return APIResponse(status: 200, body: .stream(ByteStream(Keeping(base: lines, source: source))))
    case "/count":
      let (lines, source) = AsyncStream<[UInt8]>.makeStream()
      for number in 1...10 { source.yield(Array("line \(number)\n".utf8)) }
      source.finish()
      return APIResponse(status: 200, body: .stream(ByteStream(lines)))
    case "/endless":
      return APIResponse(status: 200, body: .stream(ByteStream(Endless())))
    default:
      let answer: JSONValue = [
        "user": .string(user.name), "groups": .array(user.groups.map { .string($0) }),
        "method": .string(request.method.rawValue), "path": .string(request.path),
        "query": .array(request.query.map { .array([.string($0.name), .string($0.value)]) }),
        "type": request.contentType.map { .string($0) } ?? nil, "bytes": JSONValue(request.body.count),
      ]
      return APIResponse(status: 200, body: .bytes(answer.encoded()))
    }
  }

  /// Keeps a stream's source alive as long as the stream.
  struct Keeping: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    let base: AsyncStream<[UInt8]>
    let source: AsyncStream<[UInt8]>.Continuation
    func makeAsyncIterator() -> AsyncStream<[UInt8]>.AsyncIterator { base.makeAsyncIterator() }
  }

  /// Chunks without an end.
  struct Endless: AsyncSequence, AsyncIteratorProtocol, Sendable {
    func next() async -> [UInt8]? { [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10) }
    func makeAsyncIterator() -> Endless { self }
  }
}
