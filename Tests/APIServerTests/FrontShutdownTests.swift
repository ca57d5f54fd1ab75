import APIServer
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import TestSupport
import Testing

/// The end of a server that is busy: open watches of the real kubectl, and calls under way.
@Suite(.serialized) struct FrontShutdownTests {
  enum End: String, Sendable, CaseIterable {
    /// SIGTERM: what a service group makes of it.
    case graceful
    /// Another service failed, or the process is told twice: the task is cancelled under the calls.
    case cancelled
  }

  @Test(.timeLimit(.minutes(15)), arguments: End.allCases)
  func openWatchesAndCallsEndWithoutATrap(end: End) async throws {
    let directory = "/tmp/nagaya-shutdown-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
    let server = try await APIServer.inMemory(logger: quiet)
    let front = try HTTPSFront(
      port: 0,
      certificate: try authority.issueServer(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"]),
      authenticator: try Authenticator(authority: authority), handler: server, logger: quiet)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    for index in 0..<200 {
      try await client.create(configMap("n\(index)", ["k": String(repeating: "v", count: 3000)]), as: .configMaps)
    }
    let services = ServiceGroup(
      configuration: .init(services: [.init(service: server), .init(service: front)], logger: quiet))
    let running = Task { try await services.run() }
    let url = "https://127.0.0.1:\(try await front.port)"
    let leaf = try authority.issueClient(commonName: "root", organizations: [UserInfo.mastersGroup])
    let (certificate, key) = ("\(directory)/root.crt", "\(directory)/root.key")
    try Data(leaf.certificatePEM.utf8).write(to: URL(fileURLWithPath: certificate))
    try Data(leaf.privateKeyPEM.utf8).write(to: URL(fileURLWithPath: key))
    try Kubeconfig(
      name: "test", cluster: .init(server: url, authority: .file("\(directory)/pki/ca.crt")),
      user: .init(clientCertificate: .file(certificate), clientKey: .file(key))
    ).write(to: "\(directory)/kubeconfig")

    var clients = try (0..<20).map { index in
      try Command.start(
        Command.engine("kubectl"),
        [
          "--kubeconfig", "\(directory)/kubeconfig", "--cache-dir", "\(directory)/cache", "get", "-w", "-n", "default",
          index % 2 == 0 ? "configmaps" : "namespaces",
        ])
    }
    // Watches over HTTP/1.1, too, and calls without pause over both.
    let curl = "curl -sS --cacert '\(directory)/pki/ca.crt' --cert '\(certificate)' --key '\(key)'"
    for version in FrontTests.versions {
      clients.append(
        try Command.start("bash", ["-c", "exec \(curl) -N \(version) '\(url)/api/v1/configmaps?watch=1' -o /dev/null"]))
      for _ in 0..<2 {
        clients.append(
          try Command.start(
            "bash",
            ["-c", "while \(curl) \(version) --max-time 20 -o /dev/null '\(url)/api/v1/configmaps'; do :; done"]))
      }
    }
    #expect(await eventually { server.counters.watchers >= 22 })

    switch end {
    case .graceful: await services.triggerGracefulShutdown()
    case .cancelled: running.cancel()
    }
    _ = try? await running.value
    for client in clients { _ = await client.finished() }
    #expect(front.counts.streams == 0)
    #expect(await eventually { front.counts.connections == 0 })
    #expect(server.counters.watchers == 0)
  }
}
