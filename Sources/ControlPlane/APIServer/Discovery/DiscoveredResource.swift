import JSONDocument
import KubernetesAPI

/// What discovery says about one resource; of stored kinds it follows from the declaration.
struct DiscoveredResource: Sendable {
  struct Part: Sendable {
    /// `status`
    var name: String
    /// Of the body that is read or written; (group, version, kind).
    var kind: (group: String, version: String, kind: String)
    var verbs: [String]
  }

  var resource: Resource
  var singular: String
  var shortNames: [String] = []
  var categories: [String] = []
  var verbs: [String]
  var parts: [Part] = []
  /// Its schema in the catalog.
  var schema: String

  static let storedVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

  init(_ definition: ResourceDefinition) {
    resource = definition.resource
    singular = definition.singular
    shortNames = definition.shortNames
    categories = definition.categories
    schema = definition.schema
    // Namespaces go one by one: deleting all at once has never done anybody good.
    verbs =
      resource.plural == "namespaces" && resource.group.isEmpty
      ? Self.storedVerbs.filter { $0 != "deletecollection" } : Self.storedVerbs
    parts = definition.subresources.map { Self.part($0, of: definition.resource) }
  }

  private init(_ resource: Resource, singular: String, schema: String) {
    self.resource = resource
    self.singular = singular
    self.schema = schema
    verbs = ["create"]
  }

  private static func part(_ subresource: ResourceDefinition.Subresource, of resource: Resource) -> Part {
    let own = (group: resource.group, version: resource.version, kind: resource.kind)
    return switch subresource {
    case .status: Part(name: "status", kind: own, verbs: ["get", "patch", "update"])
    case .scale: Part(name: "scale", kind: ("autoscaling", "v1", "Scale"), verbs: ["get", "patch", "update"])
    case .log: Part(name: "log", kind: own, verbs: ["get"])
    case .binding: Part(name: "binding", kind: ("", "v1", "Binding"), verbs: ["create"])
    case .eviction: Part(name: "eviction", kind: ("policy", "v1", "Eviction"), verbs: ["create"])
    case .finalize: Part(name: "finalize", kind: own, verbs: ["update"])
    }
  }

  /// Resources that are computed and never stored: the gate answers them.
  static let reviews: [DiscoveredResource] = [
    review("authentication", "selfsubjectreviews", "SelfSubjectReview"),
    review("authorization", "localsubjectaccessreviews", "LocalSubjectAccessReview", isNamespaced: true),
    review("authorization", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    review("authorization", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    review("authorization", "subjectaccessreviews", "SubjectAccessReview"),
  ]

  private static func review(
    _ area: String, _ plural: String, _ kind: String, isNamespaced: Bool = false
  ) -> DiscoveredResource {
    DiscoveredResource(
      Resource(group: "\(area).k8s.io", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced),
      singular: kind.lowercased(), schema: "io.k8s.api.\(area).v1.\(kind)")
  }
}

extension DiscoveredResource {
  /// Entries of an `APIResourceList` (meta/v1): the resource and its parts.
  var legacyEntries: [JSONValue] {
    var entry: JSONValue = [
      "name": .string(resource.plural), "singularName": .string(singular), "namespaced": .bool(resource.isNamespaced),
      "kind": .string(resource.kind), "verbs": Self.list(verbs),
    ]
    if !shortNames.isEmpty { entry["shortNames"] = Self.list(shortNames) }
    if !categories.isEmpty { entry["categories"] = Self.list(categories) }
    return [entry]
      + parts.map { part in
        var entry: JSONValue = [
          "name": .string("\(resource.plural)/\(part.name)"), "singularName": "",
          "namespaced": .bool(resource.isNamespaced), "kind": .string(part.kind.kind), "verbs": Self.list(part.verbs),
        ]
        if part.kind.group != resource.group || part.kind.version != resource.version {
          entry["group"] = .string(part.kind.group)
          entry["version"] = .string(part.kind.version)
        }
        return entry
      }
  }

  /// `APIResourceDiscovery` (apidiscovery.k8s.io).
  var aggregated: JSONValue {
    var entry: JSONValue = [
      "resource": .string(resource.plural), "responseKind": Self.kind(resource.group, resource.version, resource.kind),
      "scope": resource.isNamespaced ? "Namespaced" : "Cluster", "singularResource": .string(singular),
      "verbs": Self.list(verbs),
    ]
    if !shortNames.isEmpty { entry["shortNames"] = Self.list(shortNames) }
    if !categories.isEmpty { entry["categories"] = Self.list(categories) }
    if !parts.isEmpty {
      entry["subresources"] = .array(
        parts.map {
          [
            "subresource": .string($0.name), "responseKind": Self.kind($0.kind.group, $0.kind.version, $0.kind.kind),
            "verbs": Self.list($0.verbs),
          ]
        })
    }
    return entry
  }

  private static func list(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }
  private static func kind(_ group: String, _ version: String, _ kind: String) -> JSONValue {
    ["group": .string(group), "version": .string(version), "kind": .string(kind)]
  }
}
