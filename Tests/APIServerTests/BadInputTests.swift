import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@Suite struct BadInputTests {
  private static let path = Resource.configMaps.path(namespace: "default")

  private func answer(_ server: APIServer, _ request: APIRequest) async throws -> (code: Int, status: JSONValue) {
    let response = await server.respond(to: request, from: .component("test"))
    return (
      response.status, try JSONValue(parsing: try await response.body.collect(), limits: JSONLimits(bytes: 1 << 28))
    )
  }

  @Test(arguments: [
    ("", 400), ("{", 400), ("[]", 400), ("null", 400), ("\"x\"", 400), (#"{"metadata":[]}"#, 400),
    (#"{"metadata":{"name":7}}"#, 400), (#"{"metadata":{"name":"a","labels":{"x":1}}}"#, 400),
    (#"{"metadata":{"name":"a","finalizers":[{}]}}"#, 400),
    (#"{"metadata":{"name":"a","ownerReferences":["x"]}}"#, 400),
    (#"{"kind":"Pod","metadata":{"name":"a"}}"#, 400), (#"{"apiVersion":"v2","metadata":{"name":"a"}}"#, 400),
    (#"{"metadata":{"name":"a","namespace":"other"}}"#, 400),
    (#"{"metadata":{"name":"a","resourceVersion":"7"}}"#, 400),
    (#"{"metadata":{}}"#, 422), (#"{"metadata":{"name":"-"}}"#, 422), (#"{"metadata":{"name":"a/b"}}"#, 422),
    (#"{"metadata":{"name":"../../etc"}}"#, 422),
  ])
  func aBadBodyGetsTheRightStatus(body: String, code: Int) async throws {
    try await withServer { server, client in
      let answer = try await answer(
        server, APIRequest(.post, Self.path, contentType: "application/json", body: Array(body.utf8)))
      #expect(answer.code == code)
      #expect(answer.status["kind"] == "Status")
      #expect(answer.status["code"].int == code)
      #expect(try await client.list(.configMaps).items.isEmpty)
    }
  }

  @Test func tooMuchIsRefusedBeforeItIsRead() async throws {
    try await withServer { server, _ in
      let large =
        Array(#"{"metadata":{"name":"a"},"data":{"k":""#.utf8) + [UInt8](repeating: 120, count: 10 << 20)
        + Array(#""}}"#.utf8)
      let tooLarge = try await answer(
        server, APIRequest(.post, Self.path, contentType: "application/json", body: large))
      #expect(tooLarge.code == 413)
      let deep = Array(repeating: "[", count: 1000).joined() + Array(repeating: "]", count: 1000).joined()
      for type in ["application/json", "application/yaml"] {
        let request = APIRequest(.post, Self.path, contentType: type, body: Array(#"{"x":\#(deep)}"#.utf8))
        let tooDeep = try await answer(server, request)
        #expect(tooDeep.code == 400)
      }
      let html = try await answer(server, APIRequest(.post, Self.path, contentType: "text/html", body: [60]))
      #expect(html.code == 415)
    }
  }

  @Test func yamlIsTakenToo() async throws {
    try await withServer { _, client in
      let made = try await client.json(
        APIRequest(
          .post, Self.path, contentType: "application/yaml",
          body: Array("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: 'v'\n".utf8)))
      #expect(made["data"]["k"] == "v")
    }
  }

  @Test func duplicateFieldsAreToldOrRefused() async throws {
    try await withServer { server, _ in
      func request(_ validation: String) -> APIRequest {
        APIRequest(
          .post, Self.path, query: [("fieldValidation", validation), ("dryRun", "All")],
          contentType: "application/json",
          body: Array(#"{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}"#.utf8))
      }
      let strict = try await answer(server, request("Strict"))
      #expect(strict.code == 400)
      #expect(strict.status["message"].string?.contains(#"strict decoding error: duplicate field "data.k""#) == true)
      let warned = await server.respond(to: request("Warn"), from: .component("test"))
      #expect(warned.headers.first?.name == "Warning")
      #expect(warned.headers.first?.value == #"299 - "duplicate field \"data.k\"""#)
      #expect(await server.respond(to: request("Ignore"), from: .component("test")).headers.isEmpty)
      #expect(try await answer(server, request("Perhaps")).code == 422)
    }
  }

  @Test(arguments: [
    ("/api/v1/nothings", 404), ("/apis/none/v1/x", 404), ("/api/v1/pods/x", 404),
    ("/api/v1/namespaces/default/nodes", 404),
    ("/api/v1/nodes/x/scale", 404), ("/api/v1/namespaces/default/configmaps/a/status", 404),
    ("/api/v1/namespaces/default/configmaps/%zz", 404), ("/api/v1/namespaces/default/configmaps/%2e%2e", 404),
    ("/api/v1/namespaces/default/configmaps/a/b/c/d/e", 404),
  ])
  func unknownPathsAreNotFound(path: String, code: Int) async throws {
    try await withServer { server, _ in
      let answer = try await answer(server, APIRequest(.get, path))
      #expect(answer.code == code)
    }
  }

  /// Requests made of broken pieces: always a Status of the 4xx kind or a success, never an end of the server.
  @Test func noiseNeverBreaksTheServer() async throws {
    try await withServer { server, client in
      let valid = try await client.create(configMap("a", labels: ["x": "y"], ["k": "v"]), as: .configMaps).json
        .encoded()
      var random = SeededGenerator(seed: 11)
      let paths = [
        Self.path, Self.path + "/a", "/api/v1/namespaces/default/pods/p/binding",
        "/api/v1/namespaces/default/pods/p/eviction",
        "/apis/apps/v1/namespaces/default/deployments/d/scale", "/api/v1/namespaces/default/finalize",
        "/api/v1/namespaces",
        "/apis/test.nagaya.dev/v1/namespaces/default/widgets/w/status", "/api//v1/\u{0}", "/apis/%ff/%00",
      ]
      let types = [
        "application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json",
        "application/strategic-merge-patch+json", "", "x/y; charset=é",
      ]
      let names = [
        "labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "dryRun", "fieldValidation", "watch",
        "timeoutSeconds", "propagationPolicy", "gracePeriodSeconds", "sendInitialEvents", "includeObject",
      ]
      let values = [
        "", "0", "-1", "All", "true", "a=b", "((", "1e9", "\u{0}", "é=ü", "9223372036854775807", "18446744073709551615",
      ]
      let seeds = [
        valid, Array(#"[{"op":"add","path":"/data/x","value":"y"}]"#.utf8), Array(#"{"spec":{"replicas":1e400}}"#.utf8),
        Array(#"{"target":{"name":"n"}}"#.utf8), Array("a: &x [*x]\n".utf8), Array("- - - {".utf8),
      ]
      for _ in 0..<3000 {
        var body = seeds.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 0...4, using: &random) where !body.isEmpty {
          let place = Int.random(in: 0..<body.count, using: &random)
          switch Int.random(in: 0...3, using: &random) {
          case 0: body[place] = UInt8.random(in: 0...255, using: &random)
          case 1: body.remove(at: place)
          case 2: body.insert(contentsOf: body[place...].prefix(20), at: place)
          default: body.removeLast(body.count - place)
          }
        }
        let methods: [APIRequest.Method] = [.get, .post, .put, .patch, .delete, .head, .options]
        let request = APIRequest(
          methods.randomElement(using: &random) ?? .get, paths.randomElement(using: &random) ?? "/",
          query: (0..<Int.random(in: 0...3, using: &random)).map { _ in
            (names.randomElement(using: &random) ?? "", values.randomElement(using: &random) ?? "")
          }, contentType: types.randomElement(using: &random), body: body)
        let response = await server.respond(to: request, from: .component("test"))
        #expect((200..<500).contains(response.status) || response.status == 504, "\(request)")
        if response.status >= 400 {
          let status = try JSONValue(parsing: try await response.body.collect())
          #expect(status["kind"] == "Status")
          #expect(!(status["message"].string ?? "").isEmpty)
        }
      }
      try await client.create(configMap("still-alive"), as: .configMaps)
    }
  }

  @Test func oneUserCannotTakeTheWholeServer() async throws {
    /// Says when a decision is asked for, and holds it until it is told to go on.
    struct Holding: Authorizing {
      let asked: AsyncStream<Void>.Continuation
      let gate: AsyncStream<Void>
      func decide(_ access: AccessAttributes) async -> AccessDecision {
        if access.user.name == "greedy" {
          asked.yield()
          for await _ in gate { break }
        }
        return .allowed()
      }
      func refusalToGrant(_ write: WriteReview) -> APIStatus? { nil }
      func namespacesGranted(to user: UserInfo) -> [Set<String>] { [] }
    }
    var configuration = APIServerConfiguration()
    configuration.requestsPerUser = 1
    let (gate, open) = AsyncStream<Void>.makeStream()
    let (questions, asked) = AsyncStream<Void>.makeStream()
    let server = try await APIServer.inMemory(
      registry: SmallRegistry.registry, authorizer: { _ in Holding(asked: asked, gate: gate) },
      configuration: configuration, logger: quiet)
    let greedy = server.client(as: UserInfo(name: "greedy"))
    let held = Task { try await greedy.list(.nodes) }
    for await _ in questions { break }
    let response = await server.respond(to: APIRequest(.get, "/api/v1/nodes"), from: UserInfo(name: "greedy"))
    #expect(response.status == 429)
    #expect(response.headers.contains { $0.name == "Retry-After" })
    _ = try await server.client(as: UserInfo(name: "modest")).list(.nodes)
    open.finish()
    _ = try await held.value
  }

  @Test func aRefusalNamesUserVerbAndPlace() async throws {
    struct Nobody: Authorizing {
      func decide(_ access: AccessAttributes) async -> AccessDecision { .denied() }
      func refusalToGrant(_ write: WriteReview) -> APIStatus? { nil }
      func namespacesGranted(to user: UserInfo) -> [Set<String>] { [] }
    }
    let server = try await APIServer.inMemory(
      registry: SmallRegistry.registry, authorizer: { _ in Nobody() }, logger: quiet)
    let client = server.client(as: UserInfo(name: "mallory"))
    let status = await refusal { _ = try await client.get(.configMaps, namespace: "default", name: "a") }
    #expect(status?.code == 403)
    #expect(
      status?.message
        == "configmaps \"a\" is forbidden: User \"mallory\" cannot get resource \"configmaps\" in API group \"\" in the namespace \"default\""
    )
  }
}
