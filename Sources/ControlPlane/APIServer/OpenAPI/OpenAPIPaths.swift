import JSONDocument
import KubernetesAPI

/// The paths of one resource in an OpenAPI document, with what clients look for: the kind behind an operation, and the
/// query parameters it takes.
struct OpenAPIPaths {
  private let item: DiscoveredResource
  private let schemaOfPart: (DiscoveredResource.Part) -> String?

  init(_ item: DiscoveredResource, schemaOfPart: @escaping (DiscoveredResource.Part) -> String?) {
    self.item = item
    self.schemaOfPart = schemaOfPart
  }

  var paths: [String: JSONValue] {
    let resource = item.resource
    let root = resource.group.isEmpty ? "/api/\(resource.version)" : "/apis/\(resource.group)/\(resource.version)"
    let base =
      resource.isNamespaced ? "\(root)/namespaces/{namespace}/\(resource.plural)" : "\(root)/\(resource.plural)"
    var paths: [String: JSONValue] = [:]
    paths[base] = methods(
      [("get", "list", Self.listing), ("post", "post", Self.writing), ("delete", "deletecollection", Self.listing)],
      schema: item.schema, pathParameters: resource.isNamespaced ? ["namespace"] : [])
    guard item.verbs.contains("get") else { return paths }
    if resource.isNamespaced {
      paths["\(root)/\(resource.plural)"] = methods(
        [("get", "list", Self.listing)], schema: item.schema, pathParameters: [])
    }
    let parameters = resource.isNamespaced ? ["name", "namespace"] : ["name"]
    paths["\(base)/{name}"] = methods(
      [
        ("get", "get", []), ("put", "put", Self.writing), ("patch", "patch", Self.writing),
        ("delete", "delete", ["dryRun"]),
      ], schema: item.schema, pathParameters: parameters)
    for part in item.parts {
      let all = [
        ("get", "get", []), ("put", "put", Self.writing), ("patch", "patch", Self.writing),
        ("post", "post", Self.writing),
      ]
      let methods: [(String, String, [String])] = all.filter { method in
        part.verbs.contains(Self.verbs[method.0] ?? method.0)
      }
      paths["\(base)/{name}/\(part.name)"] = self.methods(
        methods, schema: schemaOfPart(part) ?? item.schema, kind: part.kind, pathParameters: parameters)
    }
    return paths
  }

  private static let verbs = ["put": "update", "post": "create"]
  private static let writing = ["dryRun", "fieldManager", "fieldValidation", "pretty"]
  private static let listing = [
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
  ]
  private static let types = [
    "allowWatchBookmarks": "boolean", "limit": "integer", "sendInitialEvents": "boolean", "timeoutSeconds": "integer",
    "watch": "boolean",
  ]

  private func methods(
    _ methods: [(String, String, [String])], schema: String,
    kind: (group: String, version: String, kind: String)? = nil, pathParameters: [String]
  ) -> JSONValue {
    let kind = kind ?? (item.resource.group, item.resource.version, item.resource.kind)
    let isStored = item.verbs.contains("get")
    var entry: JSONValue = [:]
    for (method, action, query) in methods where isStored || method == "post" {
      var operation: JSONValue = [
        "x-kubernetes-action": .string(action),
        "x-kubernetes-group-version-kind": [
          "group": .string(kind.group), "version": .string(kind.version), "kind": .string(kind.kind),
        ],
        "parameters": .array(
          query.map { name in
            ["name": .string(name), "in": "query", "schema": ["type": .string(Self.types[name] ?? "string")]]
          }),
      ]
      let answer =
        action == "list" ? "\(schema)List" : action.hasPrefix("delete") ? "\(OpenAPIBuilder.meta).Status" : schema
      operation["responses"]["200"] = [
        "description": "OK",
        "content": ["application/json": ["schema": OpenAPIBuilder.reference(answer)]],
      ]
      if method == "post" || method == "put" {
        operation["requestBody"] = [
          "required": true, "content": ["*/*": ["schema": OpenAPIBuilder.reference(schema)]],
        ]
      }
      if method == "patch" {
        let body: JSONValue = ["schema": ["type": "object"]]
        operation["requestBody"] = [
          "required": true,
          "content": [
            "application/json-patch+json": body, "application/merge-patch+json": body,
            "application/strategic-merge-patch+json": body,
          ],
        ]
      }
      entry[method] = operation
    }
    entry["parameters"] = .array(
      pathParameters.map { name in
        ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]]
      })
    return entry
  }
}
