import APIServer
import CertificateAuthority
import Edge
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import Logging
import TestSupport
import Testing

@testable import nagaya

/// The edge has the rights that it uses, and none besides.
@Suite struct EdgeRightsTests {
  /// One verb on one kind.
  struct Right: Hashable, Sendable, CustomTestStringConvertible {
    let verb: String
    let group: String
    let resource: String
    var testDescription: String { "\(verb) \(resource)" }
  }

  static let rights: [Right] = EdgeAccess.role["rules"].elements.flatMap { rule in
    rule["verbs"].elements.compactMap(\.string).flatMap { verb in
      rule["apiGroups"].elements.compactMap(\.string).flatMap { group in
        rule["resources"].elements.compactMap(\.string).map { Right(verb: verb, group: group, resource: $0) }
      }
    }
  }

  /// Runs an edge against a server on which it has only some of its rights.
  private static func run(_ rights: [Right], _ body: (Recorder) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-edge-rights-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (gate, recorder) = (Gate(), Recorder())
    var logger = Logger(label: "edge")
    logger.logLevel = .critical
    let server = try await APIServer.inMemory(authorizer: { objects in
      recorder.around(gate.authorizer(over: objects))
      return recorder
    })
    let root = server.client(as: UserInfo(name: "root", groups: [UserInfo.mastersGroup]))
    for (role, subject) in Bootstrap.partRoles where role.name == EdgeAccess.name {
      var role = role
      role["rules"] = .array(
        rights.map {
          ["verbs": [.string($0.verb)], "apiGroups": [.string($0.group)], "resources": [.string($0.resource)]]
        })
      try await root.create(role, as: .clusterRoles)
      var binding = KubernetesObject(.clusterRoleBindings, name: role.name)
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role.name)]
      binding["subjects"] = [subject]
      try await root.create(binding, as: .clusterRoleBindings)
    }
    let edge = Edge(
      EdgeConfiguration(address: "127.0.0.1", port: 0, domain: "apps.test"),
      client: server.client(as: PartIdentity.edge.user),
      certificates: LeafCache(
        authority: try .loadOrCreate(directory: directory, purpose: .edge(domain: "apps.test")), domain: "apps.test"),
      logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try? await server.run() }
      group.addTask { try? await edge.run() }
      defer { group.cancelAll() }
      try await body(recorder)
    }
  }

  @Test func `with its role it is refused nothing, and asks for all that the role gives`() async throws {
    try await Self.run(Self.rights) { recorder in
      try await eventually("it has asked for everything") { recorder.allowed == Set(Self.rights) }
      #expect(recorder.denied.isEmpty, "\(recorder.denied)")
    }
  }

  @Test(arguments: rights) func `each right is needed`(right: Right) async throws {
    try await Self.run(Self.rights.filter { $0 != right }) { recorder in
      try await eventually("it is refused \(right)") { recorder.denied.contains(right) }
    }
  }
}

/// Notes what the edge asks for and gets.
private final class Recorder: Authorizing {
  private struct State {
    var inner: (any Authorizing)?
    var allowed: Set<EdgeRightsTests.Right> = []
    var denied: Set<EdgeRightsTests.Right> = []
  }
  private let state = Mutex(State())

  func around(_ inner: any Authorizing) { state.withLock { $0.inner = inner } }
  var allowed: Set<EdgeRightsTests.Right> { state.withLock { $0.allowed } }
  var denied: Set<EdgeRightsTests.Right> { state.withLock { $0.denied } }

  func decide(_ access: AccessAttributes) async -> AccessDecision {
    guard let inner = state.withLock({ $0.inner }) else { return .denied("not yet") }
    let decision = await inner.decide(access)
    guard access.user.name == EdgeAccess.name else { return decision }
    let right = EdgeRightsTests.Right(verb: access.verb, group: access.group, resource: access.resource)
    state.withLock { state in
      _ = decision.isAllowed ? state.allowed.insert(right) : state.denied.insert(right)
    }
    return decision
  }

  func refusalToGrant(_ write: WriteReview) -> APIStatus? { state.withLock { $0.inner }?.refusalToGrant(write) }
  func namespacesGranted(to user: UserInfo) -> [Set<String>] {
    state.withLock { $0.inner }?.namespacesGranted(to: user) ?? []
  }
}
