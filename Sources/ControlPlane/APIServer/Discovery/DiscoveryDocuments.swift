import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking

/// Answers what a client asks to find out what is here: discovery, OpenAPI, version and health.
///
/// Everything follows from the registry. A document is built when it is first asked for, and kept as bytes.
public final class DiscoveryDocuments: Sendable {
  /// The Kubernetes version whose API this is; kubectl compares it with its own.
  public static let gitVersion = "v1.36.0+nagaya"

  let resources: [DiscoveredResource]
  private let openAPI: OpenAPIBuilder
  private let documents = Mutex<[String: [UInt8]]>([:])

  public init(_ registry: ResourceRegistry) {
    resources = registry.definitions.map(DiscoveredResource.init) + DiscoveredResource.reviews
    openAPI = OpenAPIBuilder(catalog: registry.schemas)
  }

  /// The answer, or `nil` if the path is none of these or the method is not one that reads.
  public func respond(to request: APIRequest) -> APIResponse? {
    guard request.method == .get || request.method == .head else { return nil }
    var path = request.path[...]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    let parts = path.split(separator: "/").map(String.init)
    switch parts.first {
    case nil: return json(document("/") { rootDocument })
    case "healthz", "livez", "readyz":
      return APIResponse(status: 200, contentType: "text/plain; charset=utf-8", body: .bytes(Array("ok".utf8)))
    case "version" where parts.count == 1: return json(document("/version") { Self.versionDocument })
    case "api", "apis": return discovery(parts, request)
    case "openapi" where parts == ["openapi", "v2"]:
      return json(OpenAPIVersion2.document, contentType: OpenAPIVersion2.contentType)
    case "openapi" where parts.count >= 2 && parts[1] == "v3": return openAPI(Array(parts.dropFirst(2)), request)
    default: return nil
    }
  }

  private func discovery(_ parts: [String], _ request: APIRequest) -> APIResponse? {
    let isCore = parts[0] == "api"
    if parts.count == 1 {
      let accept = AcceptHeader(request.accept)
      guard let (_, form) = accept.json(forms: Self.aggregatedForms) else { return APIServerFormRefusal.response }
      guard form != nil else {
        return json(document(parts[0]) { isCore ? Self.coreVersions : groupList })
      }
      let version = accept.choices.first { $0.form != nil && $0.takesJSON && $0.parameters["v"] != "v1" }?.parameters[
        "v"]
      let asked = version == "v2beta1" ? "v2beta1" : "v2"
      let bytes = document("\(parts[0]) \(asked)") { aggregatedList(isCore: isCore, version: asked) }
      return json(bytes, contentType: "application/json;g=apidiscovery.k8s.io;v=\(asked);as=APIGroupDiscoveryList")
    }
    let group = isCore ? "" : parts[1]
    let rest = parts.dropFirst(isCore ? 1 : 2)
    guard resources.contains(where: { $0.resource.group == group }) else { return nil }
    guard let version = rest.first else {
      return json(document("apis \(group)") { self.group(group, isTop: true) })
    }
    guard rest.count == 1, resources.contains(where: { $0.resource.group == group && $0.resource.version == version })
    else { return nil }
    return json(document("list \(group)/\(version)") { resourceList(group, version) })
  }

  private static let aggregatedForms: Set<String> = [
    "apidiscovery.k8s.io/v2/APIGroupDiscoveryList", "apidiscovery.k8s.io/v2beta1/APIGroupDiscoveryList",
  ]

  private func openAPI(_ parts: [String], _ request: APIRequest) -> APIResponse? {
    guard AcceptHeader(request.accept).json(forms: []) != nil else { return APIServerFormRefusal.response }
    if parts.isEmpty { return json(document("openapi") { openAPIIndex }) }
    let key = parts.joined(separator: "/")
    guard groupVersions.contains(where: { $0.path == key }) else { return nil }
    return json(openAPIDocument(key))
  }

  // MARK: Documents

  private func document(_ key: String, _ make: () -> JSONValue) -> [UInt8] {
    if let bytes = documents.withLock({ $0[key] }) { return bytes }
    // Two may build the same at once; that costs less than building under the lock.
    let bytes = make().encoded()
    documents.withLock { $0[key] = bytes }
    return bytes
  }

  private func json(_ bytes: [UInt8], contentType: String = "application/json") -> APIResponse {
    APIResponse(
      status: 200, contentType: contentType,
      headers: [("ETag", "\"\(Self.hash(bytes))\""), ("Vary", "Accept"), ("Cache-Control", "no-cache, private")],
      body: .bytes(bytes))
  }

  private func openAPIDocument(_ path: String) -> [UInt8] {
    document("openapi \(path)") {
      guard let version = groupVersions.first(where: { $0.path == path }) else { return [:] }
      return openAPI.document(
        of: resources.filter { $0.resource.group == version.group && $0.resource.version == version.version })
    }
  }

  /// Every group and version once, the core group first, in the order of the registry.
  private var groupVersions: [(group: String, version: String, path: String)] {
    var seen: Set<String> = []
    return resources.compactMap { item in
      let resource = item.resource
      let path = resource.group.isEmpty ? "api/\(resource.version)" : "apis/\(resource.group)/\(resource.version)"
      return seen.insert(path).inserted ? (resource.group, resource.version, path) : nil
    }
  }

  private var openAPIIndex: JSONValue {
    var paths: [String: JSONValue] = [:]
    for version in groupVersions {
      let hash = Self.hash(openAPIDocument(version.path))
      paths[version.path] = ["serverRelativeURL": .string("/openapi/v3/\(version.path)?hash=\(hash)")]
    }
    return ["paths": .object(paths)]
  }

  private var rootDocument: JSONValue {
    let paths =
      ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
      + groupVersions.map { "/\($0.path)" }
    return ["paths": .array(paths.sorted().map { .string($0) })]
  }

  static let versionDocument: JSONValue = [
    "major": "1", "minor": "36", "gitVersion": .string(gitVersion), "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "swiftc", "platform": .string(platform),
  ]

  private static var platform: String {
    #if arch(arm64)
      "linux/arm64"
    #else
      "linux/amd64"
    #endif
  }

  private static let coreVersions: JSONValue = [
    "kind": "APIVersions", "versions": ["v1"],
    "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": ""]],
  ]

  private var groups: [String] {
    var seen: Set<String> = [""]
    return resources.map(\.resource.group).filter { seen.insert($0).inserted }
  }

  private func versions(of group: String) -> [String] {
    groupVersions.filter { $0.group == group }.map(\.version)
  }

  private var groupList: JSONValue {
    [
      "kind": "APIGroupList", "apiVersion": "v1",
      "groups": .array(groups.map { self.group($0, isTop: false) }),
    ]
  }

  /// `APIGroup` (meta/v1).
  private func group(_ name: String, isTop: Bool) -> JSONValue {
    let versions: [JSONValue] = versions(of: name).map {
      ["groupVersion": .string("\(name)/\($0)"), "version": .string($0)]
    }
    var group: JSONValue = [
      "name": .string(name), "versions": .array(versions), "preferredVersion": versions.first ?? .null,
    ]
    if isTop {
      group["kind"] = "APIGroup"
      group["apiVersion"] = "v1"
    }
    return group
  }

  private func resourceList(_ group: String, _ version: String) -> JSONValue {
    let entries = resources.filter { $0.resource.group == group && $0.resource.version == version }
      .flatMap(\.legacyEntries).sorted { ($0["name"].string ?? "") < ($1["name"].string ?? "") }
    return [
      "kind": "APIResourceList", "apiVersion": "v1",
      "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(entries),
    ]
  }

  private func aggregatedList(isCore: Bool, version: String) -> JSONValue {
    let items: [JSONValue] = (isCore ? [""] : groups).map { group in
      let versions: [JSONValue] = versions(of: group).map { version in
        let entries = resources.filter { $0.resource.group == group && $0.resource.version == version }
          .sorted { $0.resource.plural < $1.resource.plural }.map(\.aggregated)
        return ["version": .string(version), "freshness": "Current", "resources": .array(entries)]
      }
      var item: JSONValue = ["versions": .array(versions)]
      item["metadata"] = group.isEmpty ? [:] : ["name": .string(group)]
      return item
    }
    return [
      "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"), "metadata": [:],
      "items": .array(items),
    ]
  }

  /// FNV-1a of 64 bits: names a content, guards nothing.
  static func hash(_ bytes: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16, uppercase: true)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}

/// The answer to a client that takes none of the forms there are.
enum APIServerFormRefusal {
  static var response: APIResponse {
    let status = APIStatus(.notAcceptable, "only the following media types are accepted: application/json")
    return APIResponse(status: status.code, body: .bytes(status.json.encoded()))
  }
}
