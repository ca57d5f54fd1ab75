import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// Requests in protobuf that no kubectl sends.
@Suite struct ProtobufRequestTests {
  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  private static func body(_ apiVersion: String, _ kind: String, _ message: [UInt8]) -> [UInt8] {
    Array("k8s\0".utf8) + field(1, field(1, Array(apiVersion.utf8)) + field(2, Array(kind.utf8))) + field(2, message)
  }

  /// `metadata.name`
  private static func named(_ name: String) -> [UInt8] { field(1, field(1, Array(name.utf8))) }

  private static func request(
    _ body: [UInt8], method: APIRequest.Method = .post,
    path: String = Resource.configMaps.path(namespace: "default"), accept: String? = nil
  ) -> APIRequest {
    APIRequest(method, path, contentType: "application/vnd.kubernetes.protobuf", accept: accept, body: body)
  }

  @Test(arguments: [
    ("application/vnd.kubernetes.protobuf,application/json", 201), ("application/json", 201),
    ("application/vnd.kubernetes.protobuf", 406),
  ])
  func answersAreJSONOrNone(accept: String, code: Int) async throws {
    try await APIServer.withInMemory(logger: quiet) { server in
      let body = Self.body("v1", "ConfigMap", Self.named("a"))
      let answer = await server.respond(to: Self.request(body, accept: accept), from: .component("test"))
      #expect(answer.status == code)
      #expect(answer.contentType == "application/json")
      let json = try JSONValue(parsing: try await answer.body.collect())
      #expect(json["kind"].string == (code == 201 ? "ConfigMap" : "Status"))
    }
  }

  @Test(arguments: [
    (body("nagaya.dev/v1alpha1", "Application", named("a")), 415), (body("v1", "Nothing", named("a")), 415),
    (body("", "", named("a")), 415), (body("v1", "Secret", named("a")), 400),
    (body("v1", "ConfigMap", [0x0A, 0x7F]), 400),
    (body("v1", "ConfigMap", [0x0B]), 400), (Array("k8s\0".utf8), 415), (Array("{}".utf8), 400), ([], 400),
    (body("v1", "ConfigMap", named("-")), 422), ([UInt8](repeating: 0x0A, count: 4 << 20), 413),
  ])
  func aBadBodyGetsTheRightStatus(body: [UInt8], code: Int) async throws {
    try await APIServer.withInMemory(logger: quiet) { server in
      let answer = await server.respond(to: Self.request(body), from: .component("test"))
      #expect(answer.status == code)
      let status = try JSONValue(parsing: try await answer.body.collect())
      #expect(status["code"].int == code)
    }
  }

  @Test func objectsAreReplacedAndDeletedByProtobufToo() async throws {
    try await APIServer.withInMemory(logger: quiet) { server in
      let client = server.client()
      let created = try await client.create(configMap("a", ["old": "1"]), as: .configMaps)
      let path = Resource.configMaps.path(namespace: "default", name: "a")
      let data = Self.field(2, Self.field(1, Array("new".utf8)) + Self.field(2, Array("2".utf8)))
      let object = Self.body("v1", "ConfigMap", Self.named("a") + data)
      let replaced = await server.respond(
        to: Self.request(object, method: .put, path: path), from: .component("test"))
      #expect(replaced.status == 200)
      #expect(try await client.get(.configMaps, namespace: "default", name: "a")["data"] == ["new": "2"])
      for (uid, code) in [("another", 409), (created.uid, 200)] {
        let options = Self.body("v1", "DeleteOptions", Self.field(2, Self.field(1, Array(uid.utf8))))
        let deleted = await server.respond(
          to: Self.request(options, method: .delete, path: path), from: .component("test"))
        #expect(deleted.status == code)
      }
    }
  }

  @Test func aPatchIsNoMessage() async throws {
    try await APIServer.withInMemory(logger: quiet) { server in
      try await server.client().create(configMap("a"), as: .configMaps)
      let answer = await server.respond(
        to: Self.request(
          Self.body("v1", "ConfigMap", Self.named("a")), method: .patch,
          path: Resource.configMaps.path(namespace: "default", name: "a")),
        from: .component("test"))
      #expect(answer.status == 415)
    }
  }
}
