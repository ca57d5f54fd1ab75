import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// The https transport against the real server.
@Suite struct FrontTransportTests {
  private static func connection(_ harness: FrontHarness, token: String? = nil, user: String? = nil) throws
    -> Kubeconfig.Connection
  {
    let leaf = try user.map { try harness.authority.issueClient(commonName: $0, organizations: ["system:masters"]) }
    return Kubeconfig.Connection(
      server: harness.url, authority: Array(harness.authority.certificatePEM.utf8),
      clientCertificate: leaf.map { Array($0.certificatePEM.utf8) },
      clientKey: leaf.map { Array($0.privateKeyPEM.utf8) },
      token: token, origin: "context \"test\"")
  }

  /// What a body throws is thrown after the transport is closed.
  private static func with(
    _ connection: Kubeconfig.Connection, _ body: (HTTPSTransport) async throws -> Void
  ) async throws {
    let transport = try HTTPSTransport(connection)
    do { try await body(transport) } catch {
      await transport.shutdown()
      throw error
    }
    await transport.shutdown()
  }

  @Test func objectsAreWrittenReadAndWatched() async throws {
    let server = try await APIServer.inMemory(
      registry: .standard, authorizer: { RBACAuthorizer(objects: $0) })
    try await FrontHarness.with(server, objects: server) { harness in
      try await Self.with(try Self.connection(harness, user: "root")) { transport in
        let client = KubernetesClient(transport, userAgent: "test")
        try await client.create(KubernetesObject(.namespaces, name: "blue"), as: .namespaces)
        let list = try await client.list(.namespaces)
        #expect(list.items.map(\.name) == ["blue"])
        let watch = try await client.watch(.namespaces, from: list.resourceVersion)
        var events = watch.makeAsyncIterator()
        try await client.create(KubernetesObject(.namespaces, name: "green"), as: .namespaces)
        let event = try await events.next()
        guard case .added(let object)? = event else {
          Issue.record("not an addition: \(String(describing: event))")
          return
        }
        #expect(object.name == "green")
        let conflict = await #expect(throws: APIStatus.self) {
          try await client.create(KubernetesObject(.namespaces, name: "green"), as: .namespaces)
        }
        #expect(conflict?.isAlreadyExists == true)
      }
      try await Self.with(try Self.connection(harness, token: "reader-token")) { transport in
        let refusal = await #expect(throws: APIStatus.self) {
          try await KubernetesClient(transport, userAgent: "test").list(.namespaces)
        }
        #expect(refusal?.code == 403)
        #expect(
          refusal?.message.contains("User \"reader\" cannot list resource \"namespaces\" in API group \"\"") == true)
      }
      #expect(await eventually { harness.front.counts.streams == 0 })
    }
  }

  @Test func whatCannotBeReachedOrTrustedIsExplained() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      var closed = try Self.connection(harness, token: "dev-token")
      closed.server = "https://127.0.0.1:1"
      var untrusted = try Self.connection(harness, token: "dev-token")
      untrusted.authority = Array(
        try CertificateAuthority.loadOrCreate(directory: "\(harness.directory)/other").certificatePEM.utf8)
      for (connection, code, message) in [
        (closed, 503, "start it with `nagaya up`"), (untrusted, 503, "not trusted"),
        (try Self.connection(harness, token: "no-such-token"), 401, "Unauthorized"),
      ] {
        try await Self.with(connection) { transport in
          let failure = await #expect(throws: APIStatus.self) {
            try await KubernetesClient(transport, userAgent: "test").json(APIRequest(.get, "/who"))
          }
          #expect(failure?.code == code)
          #expect(failure?.message.contains(message) == true, "\(failure?.message ?? "")")
        }
      }
      var broken = closed
      broken.authority = Array("no PEM".utf8)
      #expect(throws: KubeconfigError.self) { try HTTPSTransport(broken) }
      try await Self.with(try Self.connection(harness, token: "dev-token")) { transport in
        let mirror = try await KubernetesClient(transport, userAgent: "test").json(
          APIRequest(.get, "/a b/ü:c", query: [("q", "x=1&y, z+"), ("e", "")]))
        #expect(mirror["path"] == "/a b/ü:c")
        #expect(mirror["query"] == [["q", "x=1&y, z+"], ["e", ""]])
      }
    }
  }
}
