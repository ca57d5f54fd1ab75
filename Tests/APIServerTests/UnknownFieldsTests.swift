import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// Fields that a kind's schema does not have: refused under Strict, else dropped, with a warning under Warn.
@Suite struct UnknownFieldsTests {
  private static let deployments = Resource.deployments.path(namespace: "default")
  private static let body = """
    {"metadata":{"name":"web","labels":{"a":"b"},"colour":"red"},
     "spec":{"selector":{"matchLabels":{"app":"web"}},"replcas":3,
      "template":{"metadata":{"labels":{"app":"web"}},
       "spec":{"containers":[{"name":"c","image":"i","imagePulPolicy":"Always"}]}}}}
    """
  private static let unknown = [
    "metadata.colour", "spec.replcas", "spec.template.spec.containers[0].imagePulPolicy",
  ]

  private func with(_ body: @Sendable (APIServer, KubernetesClient) async throws -> Void) async throws {
    try await APIServer.withInMemory(logger: quiet) { server in try await body(server, server.client()) }
  }

  private func send(
    _ server: APIServer, _ method: APIRequest.Method, _ path: String, _ type: String, _ text: String,
    _ validation: String
  ) async throws -> (code: Int, warnings: [String], json: JSONValue) {
    let response = await server.respond(
      to: APIRequest(
        method, path, query: [("fieldValidation", validation)], contentType: type, body: Array(text.utf8)),
      from: .component("test"))
    return (
      response.status, response.headers.filter { $0.name == "Warning" }.map(\.value),
      try JSONValue(parsing: try await response.body.collect())
    )
  }

  @Test(arguments: ["Warn", "Ignore", ""]) func areDropped(validation: String) async throws {
    try await with { server, client in
      let made = try await send(server, .post, Self.deployments, "application/json", Self.body, validation)
      #expect(made.code == 201)
      let expected = validation == "Ignore" ? [] : Self.unknown.map { #"299 - "unknown field \"\#($0)\"""# }
      #expect(made.warnings == expected)
      let stored = try await client.get(.deployments, namespace: "default", name: "web")
      #expect(stored.metadata["colour"].isNull && stored.spec["replcas"].isNull)
      #expect(stored.spec["template"]["spec"]["containers"][0]["imagePulPolicy"].isNull)
      #expect(stored.spec["template"]["spec"]["containers"][0]["image"] == "i")
      #expect(stored.labels == ["a": "b"])
    }
  }

  @Test func areRefusedIfStrictAndNothingIsStored() async throws {
    try await with { server, client in
      let refused = try await send(server, .post, Self.deployments, "application/json", Self.body, "Strict")
      #expect(refused.code == 400)
      for field in Self.unknown {
        #expect(refused.json["message"].string?.contains(#"unknown field "\#(field)""#) == true)
      }
      #expect(try await client.list(.deployments).items.isEmpty)
    }
  }

  @Test(arguments: [
    ("application/merge-patch+json", #"{"spec":{"paused":true,"pausd":true}}"#),
    (
      "application/strategic-merge-patch+json",
      #"{"spec":{"paused":true,"template":{"spec":{"containers":[{"name":"c","imag":"x"}]}}}}"#
    ),
    (
      "application/json-patch+json",
      #"[{"op":"add","path":"/spec/paused","value":true},{"op":"add","path":"/spec/pausd","value":true}]"#
    ),
  ])
  func areDroppedFromPatches(type: String, patch: String) async throws {
    try await with { server, client in
      _ = try await send(server, .post, Self.deployments, "application/json", Self.body, "Ignore")
      let path = Self.deployments + "/web"
      let before = try await client.get(.deployments, namespace: "default", name: "web")
      let strict = try await send(server, .patch, path, type, patch, "Strict")
      #expect(strict.code == 400)
      #expect(try await client.get(.deployments, namespace: "default", name: "web") == before)
      let patched = try await send(server, .patch, path, type, patch, "Warn")
      #expect(patched.code == 200)
      #expect(patched.warnings.count == 1)
      #expect(patched.json["spec"]["paused"] == true)
      #expect(patched.json["spec"]["pausd"].isNull)
      #expect(patched.json["spec"]["template"]["spec"]["containers"][0]["imag"].isNull)
    }
  }

  @Test func freeFormMapsStayWhole() async throws {
    try await with { server, client in
      let text = """
        {"metadata":{"name":"c","annotations":{"x.test/any":"{\\"a\\":1}"}},"data":{"spec":"x","any.thing":"y"}}
        """
      let made = try await send(
        server, .post, Resource.configMaps.path(namespace: "default"), "application/json", text, "Warn")
      #expect(made.code == 201 && made.warnings.isEmpty)
      let stored = try await client.get(.configMaps, namespace: "default", name: "c")
      #expect(stored["data"] == ["spec": "x", "any.thing": "y"])
      #expect(stored.annotations == ["x.test/any": #"{"a":1}"#])
    }
  }
}
