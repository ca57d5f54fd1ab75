import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@Suite struct ListTests {
  private let path = Resource.configMaps.path(namespace: "default")

  @Test func pagesShowOneInstant() async throws {
    try await withServer { _, client in
      for index in 0..<25 { try await client.create(configMap("n\(10 + index)"), as: .configMaps) }
      let whole = try await client.list(.configMaps)
      var names: [String] = []
      var token: String?
      repeat {
        let query = [(name: "limit", value: "7")] + (token.map { [(name: "continue", value: $0)] } ?? [])
        let page = try await client.json(APIRequest(.get, path, query: query))
        #expect(page["metadata"]["resourceVersion"].string == whole.resourceVersion)
        names += page["items"].elements.map { $0["metadata"]["name"].string ?? "" }
        token = page["metadata"]["continue"].string
        // Changes between pages are not seen.
        try await client.create(configMap("n1\(names.count)x"), as: .configMaps)
        if token != nil {
          try await client.delete(.configMaps, namespace: "default", name: "n\(34 - names.count / 7)")
        }
      } while token != nil
      #expect(names == whole.items.map(\.name))
    }
  }

  @Test func aTokenThatIsTooOldIsExpiredAndNoiseIsRefused() async throws {
    var configuration = APIServerConfiguration()
    configuration.listSnapshots = 1
    try await withServer(configuration) { _, client in
      for index in 0..<5 { try await client.create(configMap("n\(index)"), as: .configMaps) }
      let first = try await client.json(APIRequest(.get, path, query: [("limit", "2")]))
      let token = first["metadata"]["continue"].string ?? ""
      #expect(first["items"].elements.count == 2)
      try await client.create(configMap("more"), as: .configMaps)
      _ = try await client.json(APIRequest(.get, path, query: [("limit", "2")]))
      let expired = await refusal {
        _ = try await client.json(APIRequest(.get, path, query: [("limit", "2"), ("continue", token)]))
      }
      #expect(expired?.code == 410)
      for noise in ["x", "e30=", "////", String(repeating: "A", count: 5000)] {
        let status = await refusal { _ = try await client.json(APIRequest(.get, path, query: [("continue", noise)])) }
        #expect(status?.code == 400)
      }
    }
  }

  @Test func aLongListComesInChunksAndCanBeReadWhole() async throws {
    try await withServer { _, client in
      let filler = String(repeating: "v", count: 3000)
      for index in 0..<200 { try await client.create(configMap("n\(index)", ["k": filler]), as: .configMaps) }
      let response = try await client.send(APIRequest(.get, path))
      guard case .stream(let stream) = response.body else {
        Issue.record("600 kB in one piece")
        return
      }
      var chunks = 0
      var bytes: [UInt8] = []
      for try await chunk in stream {
        chunks += 1
        bytes += chunk
      }
      #expect(chunks > 5)
      let list = try JSONValue(parsing: bytes)
      #expect(list["kind"] == "ConfigMapList")
      #expect(list["items"].elements.count == 200)
    }
  }

  @Test func metadataIsCutOutOfTheBytes() async throws {
    try await withServer { server, client in
      let made = try await client.create(configMap("a", ["k": "v"]), as: .configMaps)
      let list = try await client.json(
        APIRequest(.get, path, accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"))
      #expect(list["kind"] == "PartialObjectMetadataList")
      #expect(list["items"][0]["metadata"] == made.metadata)
      #expect(list["items"][0]["data"].isNull)
      #expect(server.counters.decodesForReading == 0)
      let status = await refusal {
        _ = try await client.json(APIRequest(.get, path, accept: "application/vnd.kubernetes.protobuf"))
      }
      #expect(status?.code == 406)
    }
  }

  @Test(arguments: [
    ("fieldSelector", "metadata.name=n1", ["n1"]), ("fieldSelector", "metadata.name!=n1", ["n0", "n2"]),
    ("labelSelector", "i in (0,2)", ["n0", "n2"]), ("labelSelector", "!i", []),
    ("fieldSelector", "metadata.namespace=default,metadata.name==n2", ["n2"]),
  ])
  func selectorsChoose(parameter: String, text: String, expected: [String]) async throws {
    try await withServer { _, client in
      for index in 0..<3 { try await client.create(configMap("n\(index)", labels: ["i": "\(index)"]), as: .configMaps) }
      let list = try await client.json(APIRequest(.get, path, query: [(parameter, text)]))
      #expect(list["items"].elements.map { $0["metadata"]["name"].string } == expected)
    }
  }

  @Test(arguments: [
    ("labelSelector", "a in (b", 400), ("labelSelector", "=", 400), ("fieldSelector", "spec.secret=1", 400),
    ("fieldSelector", "noise", 400), ("limit", "-1", 400), ("limit", "many", 400), ("resourceVersion", "abc", 422),
    ("resourceVersion", "999999", 504), ("resourceVersion", "99999999999999999999999", 422),
  ])
  func badParametersAreRefused(parameter: String, text: String, code: Int) async throws {
    try await withServer { _, client in
      let status = await refusal { _ = try await client.json(APIRequest(.get, path, query: [(parameter, text)])) }
      #expect(status?.code == code)
    }
  }
}
