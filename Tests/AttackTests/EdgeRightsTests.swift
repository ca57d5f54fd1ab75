import APIServer
import CertificateAuthority
import Edge
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import TestSupport
import Testing

@testable import nagaya

/// The edge has the rights that it uses, and none besides.
@Suite struct EdgeRightsTests {
  static let rights = Right.all(of: EdgeAccess.role).sorted()

  /// Runs an edge against a server on which it has only some of its rights.
  private static func run(_ rights: [Right], _ body: (RightsRecorder) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-edge-rights-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (gate, recorder) = (Gate(), RightsRecorder())
    var logger = Logger(label: "edge")
    logger.logLevel = .critical
    let authority = try CertificateAuthority.loadOrCreate(
      directory: directory, purpose: .edge(domain: "apps.test"))
    let server = try await APIServer.inMemory(
      authorizer: { objects in
        recorder.around(gate.authorizer(over: objects))
        return recorder
      },
      virtualResources: { _, authorizer in
        [LeafCertificates(authority, domain: "apps.test", lifetime: 3600, authorizer: authorizer)]
      })
    let root = server.client(as: UserInfo(name: "root", groups: [UserInfo.mastersGroup]))
    let role = PartRole(EdgeAccess.name, rights.map { .init($0.group, [$0.resource], [$0.verb]) })
    try await root.create(role.object, as: .clusterRoles)
    try await root.create(PartIdentity.edge.binding, as: .clusterRoleBindings)
    let client = server.client(as: PartIdentity.edge.user)
    let edge = Edge(
      EdgeConfiguration(address: "127.0.0.1", port: 0, domain: "apps.test"), client: client,
      certificates: LeafCache(signer: EdgeCertificates(client: client), domain: "apps.test"), logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try? await server.run() }
      group.addTask { try? await edge.run() }
      defer { group.cancelAll() }
      try await body(recorder)
    }
  }

  @Test func `with its role it is refused nothing, and asks for all that the role gives`() async throws {
    try await Self.run(Self.rights) { recorder in
      try await eventually("it has asked for everything") { recorder.allowed(EdgeAccess.name) == Set(Self.rights) }
      #expect(recorder.denied(EdgeAccess.name).isEmpty)
    }
  }

  @Test(arguments: rights) func `each right is needed`(right: Right) async throws {
    try await Self.run(Self.rights.filter { $0 != right }) { recorder in
      try await eventually("it is refused \(right)") { recorder.denied(EdgeAccess.name).contains(right) }
    }
  }
}
