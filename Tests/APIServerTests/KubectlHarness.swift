import APIServer
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import ObjectStore

/// The API server with its gate behind a real https front, and the real kubectl as an administrator of it.
struct KubectlHarness: Sendable {
  let client: KubernetesClient
  private let directory: String

  static func with(_ body: @Sendable (KubectlHarness) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-kubectl-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
    let server = try await APIServer(
      store: MemoryObjectStore(), registry: .standard, authorizer: { RBACAuthorizer(objects: $0) },
      virtualResources: { [AccessReviews(authorizer: $1)] }, logger: quiet)
    let front = try HTTPSFront(
      port: 0,
      certificate: try authority.issueServer(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]),
      authenticator: try Authenticator(authority: authority), handler: server, logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await server.run() }
      tasks.addTask { try await front.run() }
      defer { tasks.cancelAll() }
      let client = server.client(as: UserInfo(name: "test", groups: [UserInfo.mastersGroup]))
      try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
      let certificate = try authority.issueClient(commonName: "root", organizations: [UserInfo.mastersGroup])
      try Kubeconfig(
        name: "test",
        cluster: .init(
          server: "https://127.0.0.1:\(try await front.port)", authority: .file("\(directory)/pki/ca.crt")),
        user: Kubeconfig.User(
          clientCertificate: .inline(Array(certificate.certificatePEM.utf8)),
          clientKey: .inline(Array(certificate.privateKeyPEM.utf8)))
      ).write(to: "\(directory)/kubeconfig")
      try await body(KubectlHarness(client: client, directory: directory))
    }
  }

  /// What kubectl printed.
  /// - Throws: what it complained of, if it failed.
  @discardableResult
  func kubectl(_ line: String) async throws -> String {
    let output = "\(directory)/\(UUID().uuidString)"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      [Self.program, "--kubeconfig", "\(directory)/kubeconfig", "--cache-dir", "\(directory)/cache"]
      + line.split(separator: " ").map(String.init)
    // To files, so that it never waits for a reader.
    for path in [output, "\(output).errors"] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: "\(output).errors")
    process.standardInput = FileHandle.nullDevice
    let (exits, source) = AsyncStream<Int32>.makeStream()
    process.terminationHandler = {
      source.yield($0.terminationStatus)
      source.finish()
    }
    try process.run()
    var status: Int32 = -1
    for await exit in exits { status = exit }
    guard status == 0 else {
      throw Failure(line: line, errors: try String(contentsOfFile: "\(output).errors", encoding: .utf8))
    }
    return try String(contentsOfFile: output, encoding: .utf8)
  }

  /// kubectl of the engines' directory (`NAGAYA_ENGINES`, else `.engines` of the package), else of PATH.
  private static let program: String = {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
    let path = "\(ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(package)/.engines")/bin/kubectl"
    return FileManager.default.isExecutableFile(atPath: path) ? path : "kubectl"
  }()

  struct Failure: Error, CustomStringConvertible {
    let line: String
    let errors: String
    var description: String { "kubectl \(line): \(errors)" }
  }
}
