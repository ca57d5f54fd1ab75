import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// Which state a list or a watch shows (`resourceVersion`, `resourceVersionMatch`).
@Suite("Versions of lists and watches")
struct ListVersionTests {
  private static let path = Resource.configMaps.path(namespace: "default")

  private func ask(_ server: APIServer, _ query: [(name: String, value: String)]) async throws -> (Int, JSONValue) {
    let answer = await server.respond(to: APIRequest(.get, Self.path, query: query), from: .component("test"))
    guard case .bytes(let bytes) = answer.body else { return (answer.status, .null) }
    return (answer.status, try JSONValue(parsing: bytes))
  }

  private func create(_ names: [String], _ client: KubernetesClient) async throws {
    for name in names {
      try await client.create(KubernetesObject(.configMaps, namespace: "default", name: name), as: .configMaps)
    }
  }

  @Test("a version from the future is refused with the cause by which clients list anew")
  func tooLarge() async throws {
    try await withServer { server, _ in
      for query in [
        [("resourceVersion", "1000000")], [("resourceVersion", "1000000"), ("resourceVersionMatch", "NotOlderThan")],
        [("resourceVersion", "1000000"), ("resourceVersionMatch", "Exact")],
        [
          ("watch", "true"), ("sendInitialEvents", "true"), ("allowWatchBookmarks", "true"),
          ("resourceVersionMatch", "NotOlderThan"), ("resourceVersion", "1000000"),
        ],
      ] as [[(name: String, value: String)]] {
        let (code, status) = try await ask(server, query)
        #expect(code == 504)
        #expect(status["reason"] == "Timeout")
        #expect(status["details"]["retryAfterSeconds"] == 1)
        #expect(
          status["details"]["causes"]
            == [["reason": "ResourceVersionTooLarge", "message": "Too large resource version"]])
        #expect(status["message"].string?.hasPrefix("Timeout: Too large resource version: 1000000, current: ") == true)
      }
    }
  }

  @Test("an exact list shows the state of then, as long as it is known")
  func exact() async throws {
    try await withServer { server, client in
      try await create(["a", "b", "c"], client)
      // A page keeps the state for those that follow.
      let (_, first) = try await ask(server, [("limit", "1")])
      let then = try #require(first["metadata"]["resourceVersion"].string)
      let exact = [("resourceVersion", then), ("resourceVersionMatch", "Exact")] as [(name: String, value: String)]
      // Nothing of the kind has changed: the newest state is the one of then.
      try await client.create(KubernetesObject(.nodes, name: "n"), as: .nodes)
      #expect(try await ask(server, exact).1["items"].elements.count == 3)
      try await create(["d"], client)
      let (code, list) = try await ask(server, exact)
      #expect(code == 200)
      #expect(list["items"].elements.count == 3)
      #expect(list["metadata"]["resourceVersion"].string == then)
      let (limited, page) = try await ask(server, exact + [("limit", "2")])
      #expect(limited == 200 && page["items"].elements.count == 2)
      let token = try #require(page["metadata"]["continue"].string)
      let rest = try await ask(server, [("continue", token), ("limit", "2")]).1
      #expect(rest["items"].elements.count == 1 && rest["metadata"]["resourceVersion"].string == then)
      let newer = try await ask(server, [("resourceVersion", then), ("resourceVersionMatch", "NotOlderThan")]).1
      #expect(newer["items"].elements.count == 4)
      let (gone, status) = try await ask(server, [("resourceVersion", "1"), ("resourceVersionMatch", "Exact")])
      #expect(gone == 410 && status["reason"] == "Expired")
      #expect(status["message"] == "The resourceVersion for the provided list is too old.")
    }
  }

  @Test(
    "what does not go together is refused in upstream's words",
    arguments: [
      ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
      ("resourceVersionMatch=NotOlderThan&resourceVersion=0&continue=x", 422, "forbidden when continue is provided"),
      ("resourceVersionMatch=Newest&resourceVersion=1", 422, #"Unsupported value: "Newest": supported values"#),
      ("resourceVersionMatch=Exact&resourceVersion=0", 422, #""exact" is forbidden for resourceVersion "0""#),
      ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
      ("continue=x&resourceVersion=1", 400, "specifying resource version is not allowed when using continue"),
      ("watch=1&resourceVersionMatch=NotOlderThan", 422, "forbidden for watch unless sendInitialEvents is provided"),
      ("watch=1&sendInitialEvents=true", 422, "requires setting resourceVersionMatch to NotOlderThan"),
      ("watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", 422, #"supported values: "NotOlderThan""#),
      ("resourceVersion=x", 422, "is no resource version of this server"),
    ] as [(String, Int, String)])
  func refusals(_ query: String, _ code: Int, _ words: String) async throws {
    try await withServer { server, _ in
      let parameters = query.split(separator: "&").map { pair in
        let sides = pair.split(separator: "=")
        return (name: String(sides[0]), value: String(sides[1]))
      }
      let (status, answer) = try await ask(server, parameters)
      #expect(status == code)
      #expect(answer["message"].string?.contains(words) == true, "\(answer["message"])")
    }
  }
}
