import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@Suite("Discovery and OpenAPI")
struct DiscoveryTests {
  static let documents = DiscoveryDocuments(.standard)

  static func get(_ path: String, accept: String? = nil) throws -> (JSONValue, APIResponse) {
    let response = try #require(documents.respond(to: APIRequest(.get, path, accept: accept)))
    guard case .bytes(let bytes) = response.body else { throw APIStatus(.internalError, "no bytes") }
    return (try JSONValue(parsing: bytes), response)
  }

  @Test("lists every kind with its names, verbs and parts")
  func resourceList() throws {
    let (list, _) = try Self.get("/api/v1")
    #expect(list["kind"] == "APIResourceList" && list["groupVersion"] == "v1")
    let pods = try #require(list["resources"].elements.first { $0["name"] == "pods" })
    #expect(pods["shortNames"] == ["po"] && pods["categories"] == ["all"] && pods["namespaced"] == true)
    #expect(pods["verbs"].elements.contains("watch"))
    let names = list["resources"].elements.compactMap { $0["name"].string }
    #expect(Set(["pods/log", "pods/status", "pods/binding", "namespaces/finalize"]).isSubset(of: names))
    let (apps, _) = try Self.get("/apis/apps/v1")
    let scale = try #require(apps["resources"].elements.first { $0["name"] == "deployments/scale" })
    #expect(scale["group"] == "autoscaling" && scale["kind"] == "Scale")
  }

  @Test("gives all groups at once when asked for that", arguments: ["v2", "v2beta1"])
  func aggregated(_ version: String) throws {
    let accept = "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList,application/json"
    let (core, _) = try Self.get("/api", accept: accept)
    #expect(core["items"][0]["versions"][0]["version"] == "v1")
    let (list, response) = try Self.get("/apis", accept: accept)
    #expect(list["apiVersion"].string == "apidiscovery.k8s.io/\(version)")
    #expect(response.contentType == "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList")
    #expect(response.headers.contains { $0.name == "ETag" })
    let groups = list["items"].elements.compactMap { $0["metadata"]["name"].string }
    #expect(Set(["apps", "nagaya.dev", "authorization.k8s.io", "storage.k8s.io"]).isSubset(of: groups))
    #expect(Set(groups).count == groups.count)
  }

  @Test("gives the old lists to others")
  func groups() throws {
    #expect(try Self.get("/api").0["versions"] == ["v1"])
    let (list, _) = try Self.get("/apis/")
    #expect(
      list["groups"].elements.contains { $0["name"] == "nagaya.dev" && $0["preferredVersion"]["version"] == "v1alpha1" }
    )
    #expect(try Self.get("/apis/apps").0["kind"] == "APIGroup")
    #expect(try Self.get("/version").0["minor"] == "36")
  }

  @Test(
    "answers nothing else",
    arguments: [
      "/api/v2", "/apis/none", "/apis/apps/v2", "/apis/apps/v1/deployments", "/openapi/v1", "/openapi/v2/x",
      "/openapi/v3/api/v9",
      "/x",
    ])
  func others(_ path: String) {
    #expect(Self.documents.respond(to: APIRequest(.get, path)) == nil)
    #expect(Self.documents.respond(to: APIRequest(.post, "/api/v1")) == nil)
  }

  @Test("tells kubectl in OpenAPI v2 that fields are checked by the server")
  func version2() throws {
    let response = try #require(Self.documents.respond(to: APIRequest(.get, "/openapi/v2")))
    guard case .bytes(let bytes) = response.body else { throw APIStatus(.internalError, "no bytes") }
    #expect(response.contentType.hasSuffix("+protobuf") && !response.contentType.contains("@"))
    // Document { 1: "2.0" … }, and the parameter's name somewhere below.
    #expect(bytes.prefix(5) == [0x0A, 3, UInt8(ascii: "2"), UInt8(ascii: "."), UInt8(ascii: "0")])
    #expect(String(decoding: bytes, as: UTF8.self).contains("fieldValidation"))
  }

  @Test("is healthy", arguments: ["/healthz", "/readyz", "/livez", "/livez/ping"])
  func health(_ path: String) throws {
    #expect(try #require(Self.documents.respond(to: APIRequest(.get, path))).status == 200)
  }

  @Test("describes every group and version, with schemas that resolve")
  func openAPI() throws {
    let (index, _) = try Self.get("/openapi/v3")
    #expect(index["paths"].members.count >= 10)
    for (path, entry) in index["paths"].members {
      #expect(entry["serverRelativeURL"].string?.hasPrefix("/openapi/v3/\(path)?hash=") == true)
      let (document, _) = try Self.get("/openapi/v3/\(path)")
      let schemas = document["components"]["schemas"].members
      for reference in Self.references(document) { #expect(schemas[reference] != nil, "\(path): \(reference)") }
      #expect(!document["paths"].members.isEmpty)
    }
  }

  private static func references(_ value: JSONValue) -> [String] {
    switch value {
    case .object(let members):
      members.flatMap { key, member in
        key == "$ref" ? [String((member.string ?? "").dropFirst("#/components/schemas/".count))] : references(member)
      }
    case .array(let elements): elements.flatMap(references)
    default: []
    }
  }

  @Test("says how lists are merged, and what takes field validation")
  func details() throws {
    let (core, _) = try Self.get("/openapi/v3/api/v1")
    let spec = core["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]
    #expect(spec["containers"]["x-kubernetes-patch-merge-key"] == "name")
    #expect(spec["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys")
    #expect(spec["tolerations"]["x-kubernetes-list-type"] == "atomic")
    let patch = core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    #expect(patch["x-kubernetes-group-version-kind"] == ["group": "", "version": "v1", "kind": "Pod"])
    #expect(patch["parameters"].elements.contains { $0["name"] == "fieldValidation" && $0["in"] == "query" })
  }
}
