import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// Acting as somebody else: who may, and as whom the request is then judged.
@Suite struct ImpersonationTests {
  private static func rule(_ resources: JSONValue, names: JSONValue) -> JSONValue {
    ["apiGroups": [""], "resources": resources, "verbs": ["impersonate"], "resourceNames": names]
  }

  private func withServer(_ body: (APIServer) async throws -> Void) async throws {
    let server = try await APIServer.inMemory(authorizer: { RBACAuthorizer(objects: $0) }, logger: quiet)
    let client = server.client()
    for namespace in ["blue", "green"] {
      try await client.create(KubernetesObject(.namespaces, name: namespace), as: .namespaces)
    }
    for (resource, object) in [
      GateObjects.role("as-ann", Self.rule(["users"], names: ["ann"]), Self.rule(["groups"], names: ["ops"])),
      GateObjects.bind("as-ann", GateObjects.user("helper")),
      GateObjects.role("as-robot", in: "blue", Self.rule(["serviceaccounts"], names: ["robot"])),
      GateObjects.bind("as-robot", kind: "Role", in: "blue", GateObjects.user("helper")),
      GateObjects.role("read", ["apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]]),
      GateObjects.bind("read", in: "blue", GateObjects.user("ann"), GateObjects.account("blue", "robot")),
      GateObjects.bind("read", in: "green", GateObjects.group("ops")),
    ] {
      try await client.create(object, as: resource)
    }
    try await body(server)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let user: String
    let other: Impersonation
    let namespace: String
    let code: Int
    /// Part of the message of a refusal.
    let message: String
    var testDescription: String { "\(user) as \(other.user) \(other.groups) in \(namespace): \(code)" }

    init(
      _ user: String, as other: String, _ groups: [String] = [], in namespace: String, _ code: Int,
      _ message: String = ""
    ) {
      (self.user, self.namespace, self.code, self.message) = (user, namespace, code, message)
      self.other = Impersonation(user: other, groups: groups)
    }
  }

  @Test(arguments: [
    Case("helper", as: "ann", in: "blue", 200), Case("helper", as: "ann", in: "green", 403, #"User "ann" cannot list"#),
    Case("helper", as: "ann", ["ops"], in: "green", 200),
    Case(
      "helper", as: "ann", ["ops", "system:masters"], in: "green", 403,
      #"User "helper" cannot impersonate resource "groups""#),
    Case("helper", as: "bob", in: "blue", 403, #"users "bob" is forbidden: User "helper" cannot impersonate"#),
    Case("helper", as: "", ["ops"], in: "green", 400, "together with a user"),
    Case("helper", as: "system:serviceaccount:blue:robot", in: "blue", 200),
    Case("helper", as: "system:serviceaccount:blue:robot", in: "green", 403, "robot"),
    Case(
      "helper", as: "system:serviceaccount:green:robot", in: "blue", 403,
      #"cannot impersonate resource "serviceaccounts""#),
    Case("helper", as: "system:serviceaccount:blue", in: "blue", 403, #"impersonate resource "users""#),
    // Who may act as others may not act as anybody through them: ann's own rights count.
    Case("ann", as: "helper", in: "blue", 403, #"User "ann" cannot impersonate"#),
    Case("root", as: "ann", in: "blue", 200), Case("root", as: "ann", in: "green", 403, #"User "ann" cannot list"#),
    Case("root", as: "nobody", in: "blue", 403, #"User "nobody" cannot list"#),
    Case("root", as: "x", ["system:masters"], in: "green", 200),
  ])
  func needsTheVerbAndTakesTheOthersRights(_ test: Case) async throws {
    try await withServer { server in
      var request = APIRequest(.get, Resource.configMaps.path(namespace: test.namespace))
      request.impersonation = test.other
      let user = UserInfo(name: test.user, groups: test.user == "root" ? [UserInfo.mastersGroup] : [])
      let response = await server.respond(to: request, from: user)
      #expect(response.status == test.code)
      if test.code != 200 {
        let status = try JSONValue(parsing: try await response.body.collect())
        #expect(status["message"].string?.contains(test.message) == true, "\(status)")
      }
    }
  }
}

/// Headers of the real curl at the real front.
@Suite struct ImpersonationHeaderTests {
  @Test(arguments: FrontTests.versions) func areReadOrRefused(version: String) async throws {
    struct Handler: APIRequestHandling {
      func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
        let other = request.impersonation
        let answer: JSONValue = [
          "user": .string(user.name), "as": .string(other?.user ?? "-"),
          "groups": .array((other?.groups ?? []).map { .string($0) }),
        ]
        return APIResponse(status: 200, body: .bytes(answer.encoded()))
      }
    }
    try await FrontHarness.with(Handler()) { harness in
      func send(_ headers: String...) async throws -> (status: Int, exit: Int32, body: String) {
        try await harness.curl(
          "/x", ["-H", "Authorization: Bearer dev-token", version] + headers.flatMap { ["-H", $0] })
      }
      let none = try await send()
      #expect(try JSONValue(parsing: none.body) == ["user": "dev", "as": "-", "groups": []])
      let other = try await send("Impersonate-User: ann", "Impersonate-Group: ops", "impersonate-group: dev")
      #expect(try JSONValue(parsing: other.body) == ["user": "dev", "as": "ann", "groups": ["ops", "dev"]])
      for headers in [
        ["Impersonate-User: a", "Impersonate-User: b"], ["Impersonate-User: a", "Impersonate-Uid: 1"],
        ["Impersonate-User: a", "Impersonate-Extra-Scopes: x"], ["Impersonate-Unheard-Of: a"],
      ] {
        let refused = try await harness.curl(
          "/x", ["-H", "Authorization: Bearer dev-token", version] + headers.flatMap { ["-H", $0] })
        #expect(refused.status == 400, "\(headers): \(refused.body)")
        #expect(refused.body.contains("BadRequest"))
      }
    }
  }
}
