import KubernetesAPI
import KubernetesClient
import Logging
import TestSupport
import Testing

@testable import APIServer

@Suite struct FlowControlTests {
  private static func server(_ change: (inout APIServerConfiguration) -> Void = { _ in }) async throws -> APIServer {
    try await server(authorizer: { _ in AllowAll() }, change)
  }

  private static func server(
    authorizer: (any ObjectReading) -> any Authorizing, _ change: (inout APIServerConfiguration) -> Void
  ) async throws -> APIServer {
    var configuration = APIServerConfiguration()
    change(&configuration)
    let server = try await APIServer.inMemory(authorizer: authorizer, configuration: configuration)
    for (name, tenant) in [("a-prod", "a"), ("a-test", "a"), ("b-prod", "b"), ("free", nil)] {
      try await server.client().create(
        KubernetesObject(.namespaces, name: name, labels: tenant.map { ["nagaya.dev/tenant": $0] } ?? [:]),
        as: .namespaces)
    }
    return server
  }

  private static func flow(_ user: UserInfo, _ server: APIServer) -> FlowControl.Flow {
    server.flow(of: user, asking: APIRequest(.get, "/api/v1/configmaps"))
  }

  private static func account(_ namespace: String, _ name: String) -> UserInfo {
    UserInfo(name: "system:serviceaccount:\(namespace):\(name)", groups: ["system:serviceaccounts"])
  }

  @Test func aTenantsServiceAccountsShareAndUsersDoNot() async throws {
    let server = try await Self.server()
    #expect(Self.flow(Self.account("a-prod", "x"), server) == Self.flow(Self.account("a-test", "y"), server))
    #expect(Self.flow(Self.account("a-prod", "x"), server) != Self.flow(Self.account("b-prod", "x"), server))
    #expect(Self.flow(Self.account("free", "x"), server) == Self.flow(Self.account("free", "y"), server))
    #expect(Self.flow(UserInfo(name: "alice"), server) != Self.flow(UserInfo(name: "bob"), server))
    #expect(Self.flow(.component("x"), server).level == .exempt)
    #expect(Self.flow(UserInfo(name: "system:node:n", groups: [UserInfo.nodesGroup]), server).level == .system)
    #expect(Self.flow(UserInfo(name: "alice"), server).level == .tenants)
  }

  /// Users who were given rights in a tenant's environments share what the tenant may have; to ask for another tenant's
  /// takes nothing of that one's share.
  @Test func usersShareWithTheirTenant() async throws {
    let server = try await Self.server(authorizer: { RBACAuthorizer(objects: $0) }) { $0.watchesPerTenant = 2 }
    for (user, namespace) in [
      ("ann", "a-prod"), ("ann", "a-test"), ("bob", "b-prod"), ("both", "a-prod"), ("both", "b-prod"), ("out", "free"),
    ] {
      var binding = KubernetesObject(.roleBindings, namespace: namespace, name: user)
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"]
      binding["subjects"] = [["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": .string(user)]]
      try await server.client().create(binding, as: .roleBindings)
    }
    var role = KubernetesObject(.clusterRoles, name: "view")
    role["rules"] = [["apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]]]
    try await server.client().create(role, as: .clusterRoles)
    func tenant(_ user: String, _ path: String) -> String? {
      server.flow(of: UserInfo(name: user), asking: APIRequest(.get, path)).tenant
    }
    let (inA, inB) = ("/api/v1/namespaces/a-prod/configmaps", "/api/v1/namespaces/b-prod/configmaps/x")
    #expect(tenant("ann", inA) == "a" && tenant("ann", "/api/v1/configmaps") == "a" && tenant("ann", "/version") == "a")
    #expect(tenant("ann", inB) == "a", "what is asked of another tenant is not of its share")
    #expect(tenant("both", inA) == "a" && tenant("both", inB) == "b" && tenant("both", "/version") == nil)
    #expect(tenant("out", inA) == nil && tenant("nobody", inA) == nil)

    let watch = APIRequest(
      .get, "/api/v1/namespaces/a-prod/configmaps", query: [("watch", "1"), ("resourceVersion", "0")])
    var open: [APIResponse] = []
    for user in ["ann", "both", "ann"] { open.append(await server.respond(to: watch, from: UserInfo(name: user))) }
    #expect(open.map(\.status) == [200, 200, 429], "a tenant has two watches here, whoever opens them")
    let other = APIRequest(
      .get, "/api/v1/namespaces/b-prod/configmaps", query: [("watch", "1"), ("resourceVersion", "0")])
    for user in ["bob", "both"] { #expect(await server.respond(to: other, from: UserInfo(name: user)).status == 200) }
    open = []
    try await eventually("the tenant has room again") {
      await server.respond(to: watch, from: UserInfo(name: "ann")).status == 200
    }
  }

  @Test func listsCostByWhatTheyLookAt() async throws {
    let server = try await Self.server()
    for index in 0..<1200 {
      try await server.client().create(configMap("c\(index)", namespace: "free"), as: .configMaps)
    }
    func cost(_ path: String, _ query: [(name: String, value: String)] = []) -> FlowControl.Work {
      server.work(of: APIRequest(.get, path, query: query))
    }
    #expect(cost("/api/v1/configmaps") == .init(duration: .list, cost: 5))
    #expect(cost("/api/v1/configmaps", [("labelSelector", "no=match")]).cost == 5)
    #expect(cost("/api/v1/configmaps", [("limit", "100")]).cost == 1)
    #expect(cost("/api/v1/configmaps", [("limit", "9223372036854775807")]).cost == 5)
    #expect(cost("/api/v1/configmaps", [("limit", "junk")]).cost == 5)
    // A watch that begins with all that there is, is a list first.
    for beginning in [[], [("resourceVersion", "0")], [("sendInitialEvents", "true")]] as [[(String, String)]] {
      #expect(cost("/api/v1/configmaps", [("watch", "1")] + beginning) == .init(duration: .watch, cost: 5))
    }
    for later in [("resourceVersion", "7"), ("sendInitialEvents", "false")] {
      #expect(cost("/api/v1/configmaps", [("watch", "1"), later]) == .init(duration: .watch, cost: 1))
    }
    #expect(cost("/api/v1/namespaces/free/configmaps/c1") == .init(duration: .short, cost: 1))
    #expect(cost("/api/v1/namespaces/free/pods/p/log").duration == .log)
  }

  @Test func watchesAreCountedByUserUntilNobodyReadsThem() async throws {
    let server = try await Self.server { $0.watchesPerUser = 3 }
    let watch = APIRequest(.get, "/api/v1/configmaps", query: [("watch", "1")])
    var open: [APIResponse] = []
    for _ in 0..<3 { open.append(await server.respond(to: watch, from: UserInfo(name: "alice"))) }
    #expect(open.allSatisfy { $0.status == 200 })
    let refused = await server.respond(to: watch, from: UserInfo(name: "alice"))
    #expect(refused.status == 429 && refused.headers.contains { $0.name == "Retry-After" && $0.value == "1" })
    #expect(await server.respond(to: watch, from: UserInfo(name: "bob")).status == 200)
    #expect(await server.respond(to: watch, from: .component("c")).status == 200)
    open = []
    try await eventually("the watches are let go") { server.counters.lastingRequests == 0 }
    #expect(await server.respond(to: watch, from: UserInfo(name: "alice")).status == 200)
  }

  /// Whoever acts as others uses its own share.
  @Test func impersonationGivesNoFurtherShare() async throws {
    let server = try await Self.server { $0.watchesPerUser = 1 }
    var watch = APIRequest(.get, "/api/v1/configmaps", query: [("watch", "1")])
    var open: [APIResponse] = []
    for user in ["x", "y"] {
      watch.impersonation = Impersonation(user: user)
      open.append(await server.respond(to: watch, from: UserInfo(name: "alice")))
    }
    #expect(open.map(\.status) == [200, 429])
  }

  @Test func aListHoldsItsSeatsAsLongAsItIsSent() async throws {
    let server = try await Self.server()
    for index in 0..<600 {
      try await server.client().create(
        configMap("c\(index)", namespace: "free", ["k": String(repeating: "v", count: 1000)]), as: .configMaps)
    }
    let response = await server.respond(to: APIRequest(.get, "/api/v1/configmaps"), from: UserInfo(name: "alice"))
    #expect(server.counters.seatsHeld == 3)
    guard case .stream(let stream) = response.body else {
      Issue.record("a long list is a stream")
      return
    }
    var bytes = 0
    for try await chunk in stream { bytes += chunk.count }
    #expect(bytes > 600_000)
    #expect(server.counters.seatsHeld == 0)
  }

  @Test func aWatchHoldsItsSeatsUntilItsBeginningIsTold() async throws {
    let server = try await Self.server()
    for index in 0..<600 {
      try await server.client().create(configMap("c\(index)", namespace: "free"), as: .configMaps)
    }
    let watch = APIRequest(.get, "/api/v1/configmaps", query: [("watch", "1")])
    let response = await server.respond(to: watch, from: UserInfo(name: "alice"))
    #expect(server.counters.seatsHeld == 3)
    guard case .stream(let stream) = response.body else {
      Issue.record("a watch is a stream")
      return
    }
    var lines = 0
    var chunks = 0
    for try await chunk in stream {
      if chunk.isEmpty { break }
      chunks += 1
      lines += chunk.count { $0 == UInt8(ascii: "\n") }
    }
    // Many lines in a chunk: each chunk costs a system call.
    #expect(lines == 600 && chunks < 30)
    #expect(server.counters.seatsHeld == 0 && server.counters.lastingRequests == 1)
  }

  /// Whoever asks for long lists and does not read them keeps nobody else out, and cannot do so without end.
  @Test func aListThatIsNotReadGivesItsSeatsBack() async throws {
    let server = try await Self.server {
      $0.longestSeat = .milliseconds(1)
      $0.requestsPerUser = 20
    }
    for index in 0..<600 {
      try await server.client().create(
        configMap("c\(index)", namespace: "free", ["k": String(repeating: "v", count: 1000)]), as: .configMaps)
    }
    let running = Task { try await server.run() }
    defer { running.cancel() }
    let list = APIRequest(.get, "/api/v1/configmaps")
    var open: [APIResponse] = []
    for _ in 0..<20 { open.append(await server.respond(to: list, from: UserInfo(name: "alice"))) }
    #expect(open.allSatisfy { $0.status == 200 })
    try await eventually("their seats are free") { server.counters.seatsHeld == 0 }
    #expect(await server.respond(to: list, from: UserInfo(name: "alice")).status == 429)
    #expect(await server.respond(to: list, from: UserInfo(name: "bob")).status == 200)
    open = []
    try await eventually("alice may list again") {
      await server.respond(to: list, from: UserInfo(name: "alice")).status == 200
    }
  }

  @Test func bytesOfBodiesAreCountedByUserAndGivenBack() {
    let budget = FrontBodyBudget(perUser: 100, inAll: 150)
    #expect(budget.take(100, of: "a"))
    #expect(!budget.take(1, of: "a"))
    #expect(budget.take(50, of: "b"))
    #expect(!budget.take(1, of: "c"))
    budget.give(60, of: "a")
    #expect(budget.take(60, of: "c"))
    #expect(!budget.take(1, of: "b"))
    budget.give(40, of: "a")
    budget.give(50, of: "b")
    budget.give(60, of: "c")
    #expect(budget.take(100, of: "a"))
  }
}
