import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import Testing

/// What a null means, place by place: as Go's decoder leaves it in Kubernetes.
@Suite("Nulls")
struct NullTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let place: String
    let resource: Resource
    let body: String
    /// Where to look, and what must be there; `nil`: nothing.
    let path: [String]
    let expected: JSONValue?
    var testDescription: String { place }
  }

  private static let pod = #""containers":[{"name":"c","image":"a/b:1"}]"#
  static let cases: [Case] = [
    Case(
      place: "a map of strings", resource: .configMaps, body: #"{"metadata":{"name":"x"},"data":{"KEY":null,"b":"c"}}"#,
      path: ["data"], expected: ["KEY": "", "b": "c"]),
    Case(
      place: "a map of bytes", resource: .secrets, body: #"{"metadata":{"name":"x"},"data":{"KEY":null}}"#,
      path: ["data"], expected: ["KEY": ""]),
    Case(
      place: "strings that become bytes", resource: .secrets,
      body: #"{"metadata":{"name":"x"},"stringData":{"KEY":null}}"#, path: ["data"], expected: ["KEY": ""]),
    Case(
      place: "labels", resource: .configMaps, body: #"{"metadata":{"name":"x","labels":{"a":null}}}"#,
      path: ["metadata", "labels"], expected: ["a": ""]),
    Case(
      place: "annotations", resource: .configMaps, body: #"{"metadata":{"name":"x","annotations":{"a.b/c":null}}}"#,
      path: ["metadata", "annotations"], expected: ["a.b/c": ""]),
    Case(
      place: "a map", resource: .configMaps, body: #"{"metadata":{"name":"x"},"data":null}"#, path: ["data"],
      expected: nil),
    Case(
      place: "a map of quantities", resource: .resourceQuotas,
      body: #"{"metadata":{"name":"x"},"spec":{"hard":{"pods":null}}}"#, path: ["spec", "hard"],
      expected: ["pods": "0"]),
    Case(
      place: "a list of strings", resource: .pods,
      body: #"{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"a/b:1","args":["a",null]}]}}"#,
      path: ["spec", "containers", "0", "args"], expected: ["a", ""]),
    Case(
      place: "a scalar", resource: .deployments,
      body:
        #"{"metadata":{"name":"x"},"spec":{"replicas":null,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{\#(pod)}}}}"#,
      path: ["spec", "replicas"], expected: 1),
    Case(
      place: "a structure", resource: .pods, body: #"{"metadata":{"name":"x"},"spec":{"affinity":null,\#(pod)}}"#,
      path: ["spec", "affinity"], expected: nil),
    Case(
      place: "a list", resource: .pods, body: #"{"metadata":{"name":"x"},"spec":{"tolerations":null,\#(pod)}}"#,
      path: ["spec", "tolerations"], expected: nil),
    Case(
      place: "the status", resource: .configMaps, body: #"{"metadata":{"name":"x"},"immutable":null}"#,
      path: ["immutable"], expected: nil),
  ]

  @Test("mean what they mean in Kubernetes", arguments: cases)
  func places(_ test: Case) async throws {
    let server = try await server()
    for (type, body) in [("application/json", test.body), ("application/yaml", test.body)] {
      let answer = await server.respond(
        to: APIRequest(
          .post, test.resource.path(namespace: "default"), contentType: type, body: Array(body.utf8)),
        from: .component("test"))
      let text = try await answer.body.collect()
      #expect(answer.status == 201, "\(String(decoding: text, as: UTF8.self))")
      var value = try JSONValue(parsing: text)
      for step in test.path { value = Int(step).map { value[$0] } ?? value[step] }
      #expect(value == test.expected ?? .null)
      try await server.client().delete(test.resource, namespace: "default", name: "x")
    }
  }

  @Test(
    "in what is required, are not there",
    arguments: [
      (#"{"metadata":{"name":"x"},"spec":{"containers":[null]}}"#, "spec.containers[0].name"),
      (#"{"metadata":{"name":"x"},"spec":{"containers":null}}"#, "spec.containers"),
      (#"{"metadata":{"name":"x","finalizers":[null]},"spec":{\#(pod)}}"#, "metadata.finalizers"),
      (#"{"metadata":{"name":"x","ownerReferences":[null]},"spec":{\#(pod)}}"#, "metadata.ownerReferences[0].uid"),
    ])
  func required(_ body: String, _ field: String) async throws {
    let server = try await server()
    let answer = await server.respond(
      to: APIRequest(
        .post, Resource.pods.path(namespace: "default"), contentType: "application/json", body: Array(body.utf8)),
      from: .component("test"))
    #expect(answer.status == 422)
    #expect(String(decoding: try await answer.body.collect(), as: UTF8.self).contains(field))
  }

  @Test("take a member out of a merge patch's target, and stay in a JSON patch's value")
  func patches() async throws {
    let server = try await server()
    let client = server.client()
    var map = KubernetesObject(.configMaps, namespace: "default", name: "x")
    map["data"] = ["a": "1", "b": "2"]
    try await client.create(map, as: .configMaps)
    func patch(_ type: String, _ body: String) async throws -> JSONValue {
      let answer = await server.respond(
        to: APIRequest(
          .patch, Resource.configMaps.path(namespace: "default", name: "x"), contentType: "application/\(type)+json",
          body: Array(body.utf8)),
        from: .component("test"))
      return try JSONValue(parsing: try await answer.body.collect())["data"]
    }
    #expect(try await patch("merge-patch", #"{"data":{"a":null}}"#) == ["b": "2"])
    #expect(try await patch("json-patch", #"[{"op":"add","path":"/data/c","value":null}]"#) == ["b": "2", "c": ""])
    #expect(try await patch("strategic-merge-patch", #"{"data":{"b":null}}"#) == ["c": ""])
  }

  private func server() async throws -> APIServer {
    let server = try await APIServer.inMemory(logger: Logger(label: "test"))
    try await server.client().create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    return server
  }
}
