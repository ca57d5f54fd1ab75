import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// Bad input over real https by the real curl, against the whole server: the right Status, nothing written, server alive.
@Suite struct HTTPAuditTests {
  /// One bad request.
  struct Case: Sendable {
    var method = "GET"
    let path: String
    var type: String?
    var body: String?
    var headers: [String] = []
    let code: Int
    let reason: String
    /// Part of the message.
    let message: String

    init(_ path: String, _ code: Int, _ reason: String, _ message: String = "", headers: [String] = []) {
      (self.path, self.code, self.reason, self.message, self.headers) = (path, code, reason, message, headers)
    }
    init(
      _ method: String, _ path: String, _ type: String, _ body: String, _ code: Int, _ reason: String,
      _ message: String = ""
    ) {
      self.init(path, code, reason, message)
      (self.method, self.type, self.body) = (method, type, body)
    }
  }

  private static let maps = "/api/v1/namespaces/default/configmaps"
  private static let deployments = "/apis/apps/v1/namespaces/default/deployments"
  private static let (json, yaml) = ("application/json", "application/yaml")
  private static let merge = "application/merge-patch+json"
  private static let jsonPatch = "application/json-patch+json"
  private static let strategic = "application/strategic-merge-patch+json"
  private static let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
  private static let deployment =
    #"{"metadata":{"name":"x"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#

  /// `kept` is a ConfigMap that is there, `VERSION` its resourceVersion.
  private static let cases: [Case] = bodies + names + writes + selectors + patches + paths

  private static let bodies = [
    Case("POST", maps, json, "", 400, "BadRequest"), Case("POST", maps, json, "{", 400, "BadRequest"),
    Case("POST", maps, json, #"{"metadata":{"name":"x"}"#, 400, "BadRequest"),
    Case("POST", maps, json, #"{"metadata":{"name":"x"},}"#, 400, "BadRequest"),
    Case("POST", maps, json, "{'metadata':{}}", 400, "BadRequest"), Case("POST", maps, json, "[]", 400, "BadRequest"),
    Case("POST", maps, json, "nul", 400, "BadRequest"), Case("POST", maps, json, "7", 400, "BadRequest"),
    Case("POST", maps, json, #"{"metadata":{"name":"x"}} {"metadata":{"name":"y"}}"#, 400, "BadRequest"),
    Case("POST", maps, json, #"{"metadata":{"name":"\ud800"}}"#, 400, "BadRequest"),
    Case("POST", maps, json, #"{"x":\#(deep)}"#, 400, "BadRequest"),
    Case("POST", maps, yaml, "a: [", 400, "BadRequest"), Case("POST", maps, yaml, "a: b: c", 400, "BadRequest"),
    Case("POST", maps, yaml, "\ta: b", 400, "BadRequest"),
    Case("POST", maps, yaml, "metadata: {name: x}\n---\nmetadata: {name: y}\n", 400, "BadRequest", "one YAML document"),
    Case("POST", maps, yaml, "x: \(deep)", 400, "BadRequest"),
    Case(
      "POST", maps, yaml,
      "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n",
      400, "BadRequest"),
    Case("POST", maps, "text/html", "<html>", 415, "UnsupportedMediaType"),
    Case("POST", maps, "multipart/form-data; boundary=x", "--x--", 415, "UnsupportedMediaType"),
    Case("POST", maps, "application/vnd.kubernetes.protobuf", "k8s\u{0}\u{7}\u{7}", 400, "BadRequest"),
    Case("POST", maps, "application/vnd.kubernetes.protobuf", "none", 400, "BadRequest"),
    Case("POST", maps, "application/cbor", "\u{1}", 415, "UnsupportedMediaType"),
    // Wrong types.
    Case("POST", maps, json, #"{"metadata":7}"#, 400, "BadRequest", "metadata"),
    Case("POST", maps, json, #"{"metadata":{"name":["x"]}}"#, 400, "BadRequest", "metadata.name"),
    Case("POST", maps, json, #"{"metadata":{"name":"x","labels":{"a":7}}}"#, 400, "BadRequest", "labels"),
    Case("POST", maps, json, #"{"metadata":{"name":"x"},"data":{"a":{}}}"#, 422, "Invalid", "data.a"),
    Case("POST", maps, json, #"{"metadata":{"name":"x"},"data":[]}"#, 422, "Invalid", "data"),
    Case(
      "POST", deployments, json,
      deployment.replacingOccurrences(of: #""selector""#, with: #""replicas":"3","selector""#),
      422, "Invalid", "spec.replicas"),
    Case(
      "POST", deployments, json,
      deployment.replacingOccurrences(of: #""selector""#, with: #""replicas":-1,"selector""#),
      422, "Invalid", "spec.replicas"),
    Case(
      "POST", deployments, json,
      deployment.replacingOccurrences(of: #""selector""#, with: #""replicas":1e400,"selector""#),
      400, "BadRequest"),
    Case(
      "POST", maps, json, #"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"x"}}"#, 400, "BadRequest", "kind"),
    Case(
      "POST", maps, json, #"{"kind":"ConfigMap","apiVersion":"v9","metadata":{"name":"x"}}"#, 400, "BadRequest",
      "version"),
    // Unknown and duplicate fields.
    Case(
      "POST", maps + "?fieldValidation=Strict", json, #"{"metadata":{"name":"x"},"dta":{}}"#, 400, "BadRequest",
      #"unknown field "dta""#),
    Case(
      "POST", maps + "?fieldValidation=Strict", json, #"{"metadata":{"name":"x","name":"y"}}"#, 400, "BadRequest",
      "duplicate field"),
    Case(
      "POST", maps + "?fieldValidation=strict", json, #"{"metadata":{"name":"x"}}"#, 422, "Invalid", "fieldValidation"),
    Case("POST", maps + "?dryRun=Some", json, #"{"metadata":{"name":"x"}}"#, 422, "Invalid", "dryRun"),
  ]

  private static let names =
    ["-", "A", "a_b", "a/b", "../x", ".", "..", "a b", "ä", "\\u0000", "", String(repeating: "a", count: 254)].map {
      Case("POST", maps, json, #"{"metadata":{"name":"\#($0)"}}"#, 422, "Invalid", "metadata.name")
    } + [
      Case("POST", maps, json, #"{"metadata":{"generateName":"A-"}}"#, 422, "Invalid"),
      Case("POST", maps, json, #"{"metadata":{"name":"x","namespace":"other"}}"#, 400, "BadRequest", "namespace"),
      Case(
        "POST", "/api/v1/namespaces/absent/configmaps", json, #"{"metadata":{"name":"x"}}"#, 404, "NotFound", "absent"),
      Case("POST", "/api/v1/namespaces", json, #"{"metadata":{"name":"a.b"}}"#, 422, "Invalid"),
      Case("POST", maps, json, #"{"metadata":{"name":"x","labels":{"a b":"c"}}}"#, 422, "Invalid", "labels"),
      Case("POST", maps, json, #"{"metadata":{"name":"x","labels":{"a":"c d"}}}"#, 422, "Invalid", "labels"),
      Case("POST", maps, json, #"{"metadata":{"name":"x","annotations":{"a b":"c"}}}"#, 422, "Invalid", "annotations"),
    ]

  private static let writes = [
    Case("POST", maps, json, #"{"metadata":{"name":"kept"}}"#, 409, "AlreadyExists"),
    Case("POST", maps, json, #"{"metadata":{"name":"x","resourceVersion":"1"}}"#, 400, "BadRequest", "resourceVersion"),
    Case(
      "PUT", maps + "/kept", json, #"{"metadata":{"name":"kept","resourceVersion":"1"}}"#, 409, "Conflict", "modified"),
    Case("PUT", maps + "/kept", json, #"{"metadata":{"name":"kept","resourceVersion":"junk"}}"#, 409, "Conflict"),
    Case("PUT", maps + "/kept", json, #"{"metadata":{"name":"kept","uid":"other"}}"#, 409, "Conflict", "UID"),
    Case("PUT", maps + "/kept", json, #"{"metadata":{"name":"other"}}"#, 400, "BadRequest", "name"),
    Case("PUT", maps + "/absent", json, #"{"metadata":{"name":"absent"}}"#, 404, "NotFound"),
    Case("DELETE", maps + "/absent", json, "", 404, "NotFound"),
    Case("DELETE", maps + "/kept", json, #"{"preconditions":{"uid":"other"}}"#, 409, "Conflict"),
    Case("DELETE", maps + "/kept", json, #"{"preconditions":{"resourceVersion":"1"}}"#, 409, "Conflict"),
    Case("DELETE", maps + "/kept", json, #"{"propagationPolicy":"Sometimes"}"#, 422, "Invalid"),
    Case("DELETE", maps + "/kept", json, #"{"gracePeriodSeconds":-5}"#, 422, "Invalid"),
    Case("DELETE", maps + "/kept", json, "[", 400, "BadRequest"),
    Case("DELETE", "/api/v1/namespaces", json, "", 405, "MethodNotAllowed"),
    Case("POST", maps + "/kept", json, "{}", 405, "MethodNotAllowed"),
    Case("PUT", maps, json, "{}", 405, "MethodNotAllowed"),
    Case("TRACE", maps, json, "", 405, "MethodNotAllowed"),
  ]

  private static let selectors =
    [
      "labelSelector=((", "labelSelector=a%3D%3D%3Db", "labelSelector=a+in+b", "labelSelector=a+b",
      "labelSelector=-a%3Db", "fieldSelector=spec.none%3Dx", "fieldSelector=metadata.name", "limit=-1", "limit=x",
      "limit=99999999999999999999", "continue=junk", "continue=eyJ2IjoiYiJ9", "watch=true&timeoutSeconds=-1",
    ].map { Case("\(maps)?\($0)", 400, "BadRequest") } + [
      Case("\(maps)?resourceVersion=junk", 422, "Invalid"), Case("\(maps)?resourceVersion=-1", 422, "Invalid"),
      Case("\(maps)?resourceVersion=999999", 504, "Timeout", "Too large resource version"),
      Case("\(maps)?watch=1&sendInitialEvents=true", 422, "Invalid"),
      Case("DELETE", "\(maps)?labelSelector=((", json, "", 400, "BadRequest"),
      Case(maps, 406, "NotAcceptable", headers: ["Accept: text/html"]),
      Case(maps, 406, "NotAcceptable", headers: ["Accept: application/vnd.kubernetes.protobuf"]),
      Case(maps, 406, "NotAcceptable", headers: ["Accept: application/json;as=Poem;v=v1;g=meta.k8s.io"]),
    ]

  private static let patches = [
    Case(
      "PATCH", maps + "/kept?fieldManager=x", "application/apply-patch+yaml", "data: {a: b}", 415,
      "UnsupportedMediaType", "server-side apply"),
    Case("PATCH", maps + "/kept", json, "{}", 415, "UnsupportedMediaType"),
    Case("PATCH", maps + "/kept", merge, "[]", 400, "BadRequest"),
    Case("PATCH", maps + "/kept", merge, "{", 400, "BadRequest"),
    Case("PATCH", maps + "/kept", merge, #"{"metadata":{"name":"other"}}"#, 400, "BadRequest"),
    Case("PATCH", maps + "/kept", merge, #"{"metadata":{"resourceVersion":"1"}}"#, 409, "Conflict"),
    Case("PATCH", maps + "/kept", merge, #"{"data":{"a":7}}"#, 422, "Invalid", "data.a"),
    Case("PATCH", maps + "/kept", merge, #"{"data":\#(deep)}"#, 400, "BadRequest"),
    Case("PATCH", maps + "/kept", strategic, "7", 400, "BadRequest"),
    Case("PATCH", maps + "/kept", strategic, #"{"data":{"$patch":"burn"}}"#, 400, "BadRequest"),
    Case("PATCH", maps + "/kept", jsonPatch, "{}", 422, "Invalid"),
    Case("PATCH", maps + "/kept", jsonPatch, #"[{"op":"explode","path":"/data"}]"#, 422, "Invalid"),
    Case("PATCH", maps + "/kept", jsonPatch, #"[{"op":"remove","path":"/data/none"}]"#, 422, "Invalid"),
    Case("PATCH", maps + "/kept", jsonPatch, #"[{"op":"test","path":"/data/k","value":"other"}]"#, 422, "Invalid"),
    Case("PATCH", maps + "/kept", jsonPatch, #"[{"op":"add","path":"data","value":{}}]"#, 422, "Invalid"),
    Case("PATCH", maps + "/absent", merge, "{}", 404, "NotFound"),
  ]

  private static let paths = [
    Case("/api/v1/nothings", 404, "NotFound"), Case("/apis/none/v1/x", 404, "NotFound"),
    Case(maps + "/absent", 404, "NotFound"), Case(maps + "/kept/status", 404, "NotFound"),
    Case(maps + "/%2e%2e", 400, "BadRequest"), Case(maps + "/%zz", 400, "BadRequest"),
    Case(maps + "/%ff", 400, "BadRequest"),
    Case(maps + "/a%2Fb", 400, "BadRequest"), Case(maps + "/%00", 400, "BadRequest"),
    Case(maps + "?a=%", 400, "BadRequest"),
    Case(maps + "?" + (0..<300).map { "a\($0)=b" }.joined(separator: "&"), 400, "BadRequest"),
    Case(maps, 401, "Unauthorized", headers: ["Authorization: Bearer wrong-token"]),
    Case(maps, 401, "Unauthorized", headers: ["Authorization: Basic eDp5"]),
    Case(maps, 401, "Unauthorized", headers: ["Authorization: Bearer " + String(repeating: "x", count: 9000)]),
    Case(maps, 403, "Forbidden", #"User "reader" cannot list"#, headers: ["Authorization: Bearer reader-token"]),
    Case("POST", "/nowhere", json, "{}", 404, "NotFound"),
  ]

  @Test(.timeLimit(.minutes(15)), arguments: FrontTests.versions)
  func theRightStatusAndNothingWritten(version: String) async throws {
    let server = try await APIServer.inMemory(authorizer: { RBACAuthorizer(objects: $0) }, logger: quiet)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    try await client.create(configMap("kept", ["k": "v"]), as: .configMaps)
    try await FrontHarness.with(server, objects: server) { harness in
      let root = try harness.client("root", ["system:masters"])
      let commits = server.counters.commits
      for (index, test) in Self.cases.enumerated() {
        let isNobody = test.headers.contains { $0.hasPrefix("Authorization") }
        var arguments = (isNobody ? [] : root) + [version, "--path-as-is", "-X", test.method]
        for header in test.headers { arguments += ["-H", header] }
        if let body = test.body {
          let path = "\(harness.directory)/body-\(index)"
          try Data(body.utf8).write(to: URL(fileURLWithPath: path))
          arguments += ["-H", "Content-Type: \(test.type ?? "")", "--data-binary", "@\(path)"]
        }
        let place =
          "\(test.method) \(test.path.prefix(120)) \(test.headers) \(test.type ?? "") \((test.body ?? "").prefix(160))"
        let answer = try await harness.curl(test.path, arguments)
        #expect(answer.status == test.code, "\(place): \(answer.body.prefix(300))")
        let status = (try? JSONValue(parsing: answer.body)) ?? .null
        #expect(status["kind"] == "Status" && status["status"] == "Failure", "\(place): \(answer.body.prefix(300))")
        #expect(status["reason"].string == test.reason, "\(place): \(answer.body.prefix(300))")
        #expect(status["code"].int == test.code, "\(place)")
        #expect(
          test.message.isEmpty || status["message"].string?.contains(test.message) == true,
          "\(place): \(answer.body.prefix(300))")
        #expect(server.counters.commits == commits, "\(place) wrote something")
      }
      let alive = try await harness.curl(Self.maps + "/kept", root + [version])
      #expect(try JSONValue(parsing: alive.body)["data"] == ["k": "v"])
    }
  }

  @Test(arguments: FrontTests.versions) func whatIsTooOldIsGone(version: String) async throws {
    var configuration = APIServerConfiguration()
    configuration.historyBytes = 1
    configuration.listSnapshots = 1
    let server = try await APIServer.inMemory(configuration: configuration, logger: quiet)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    for index in 0..<10 { try await client.create(configMap("n\(index)"), as: .configMaps) }
    try await FrontHarness.with(server) { harness in
      let token = ["-H", "Authorization: Bearer dev-token", version]
      let page = try JSONValue(parsing: try await harness.curl(Self.maps + "?limit=2", token).body)
      try await client.create(configMap("more"), as: .configMaps)
      _ = try await harness.curl(Self.maps + "?limit=2", token)
      let next = page["metadata"]["continue"].string ?? ""
      let expired = try await harness.curl(Self.maps + "?limit=2&continue=\(next)", token)
      #expect(expired.status == 410)
      #expect(try JSONValue(parsing: expired.body)["reason"] == "Expired")
      // Reflectors look for it within the stream.
      let watch = try await harness.curl(Self.maps + "?watch=1&resourceVersion=2", token)
      let event = try JSONValue(parsing: watch.body)
      #expect(event["type"] == "ERROR" && event["object"]["code"] == 410 && event["object"]["reason"] == "Expired")
      let huge = try await harness.curl(Self.maps + "?limit=9223372036854775807", token)
      #expect(try JSONValue(parsing: huge.body)["items"].elements.count == 11)
    }
  }
}
