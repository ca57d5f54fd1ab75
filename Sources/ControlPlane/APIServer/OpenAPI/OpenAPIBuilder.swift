import JSONDocument
import KubernetesAPI

/// Builds the OpenAPI 3.0 document of one group and version: what `kubectl explain`, client-side apply and field
/// validation read.
struct OpenAPIBuilder: Sendable {
  let catalog: SchemaCatalog

  static let quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"
  static let intOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
  static let meta = "io.k8s.apimachinery.pkg.apis.meta.v1"

  func document(of resources: [DiscoveredResource]) -> JSONValue {
    var kinds: [String: JSONValue] = [:]
    var wanted = ["\(Self.meta).Status", "\(Self.meta).DeleteOptions", "\(Self.meta).ListMeta"]
    var paths: [String: JSONValue] = [:]
    for item in resources {
      let resource = item.resource
      kinds[item.schema, default: []] = [groupVersionKind(resource.group, resource.version, resource.kind)]
      wanted.append(item.schema)
      for part in item.parts { if let name = schema(ofPart: part) { wanted.append(name) } }
      paths.merge(OpenAPIPaths(item, schemaOfPart: schema(ofPart:)).paths) { first, _ in first }
    }
    var schemas = closure(of: wanted, kinds: kinds)
    for item in resources where item.verbs.contains("list") {
      schemas["\(item.schema)List"] = listSchema(item)
    }
    return [
      "openapi": "3.0.0", "info": ["title": "Nagaya", "version": .string(DiscoveryDocuments.gitVersion)],
      "paths": .object(paths), "components": ["schemas": .object(schemas)],
    ]
  }

  private func schema(ofPart part: DiscoveredResource.Part) -> String? {
    switch part.kind.kind {
    case "Scale": "io.k8s.api.autoscaling.v1.Scale"
    case "Binding": "io.k8s.api.core.v1.Binding"
    default: nil
    }
  }

  /// The named schemas and everything they lead to.
  private func closure(of names: [String], kinds: [String: JSONValue]) -> [String: JSONValue] {
    var schemas: [String: JSONValue] = [
      Self.quantity: [
        "description": "An amount with a unit: 500m, 1Gi, 2.", "oneOf": [["type": "string"], ["type": "number"]],
      ],
      Self.intOrString: [
        "description": "A number or a text: 8080, http, 25%.", "format": "int-or-string",
        "oneOf": [["type": "integer"], ["type": "string"]],
      ],
    ]
    var queue = names
    while let name = queue.popLast() {
      guard schemas[name] == nil, let object = catalog[name] else { continue }
      var schema = self.schema(of: object)
      if let kind = kinds[name] ?? ownKind(of: object) { schema["x-kubernetes-group-version-kind"] = kind }
      schemas[name] = schema
      for field in object.fields { if let next = field.schema.referenced { queue.append(next) } }
    }
    return schemas
  }

  /// Kinds that are bodies of subresources, not resources of their own.
  private func ownKind(of object: ObjectSchema) -> JSONValue? {
    switch object.name {
    case "io.k8s.api.autoscaling.v1.Scale": [groupVersionKind("autoscaling", "v1", "Scale")]
    case "io.k8s.api.core.v1.Binding": [groupVersionKind("", "v1", "Binding")]
    case "\(Self.meta).Status": [groupVersionKind("", "v1", "Status")]
    default: nil
    }
  }

  private func schema(of object: ObjectSchema) -> JSONValue {
    var properties: [String: JSONValue] = [:]
    for field in object.fields {
      var property = self.property(field.schema)
      if property.members.keys.contains("$ref") {
        // A reference takes nothing beside it (OpenAPI 3.0); a description needs a shell.
        property = ["allOf": [property]]
      }
      if !field.description.isEmpty { property["description"] = .string(field.description) }
      if Self.keepsNamedFieldsOnly.contains("\(object.name).\(field.name)") {
        let strategy = property["x-kubernetes-patch-strategy"].string.map { "\($0),retainKeys" } ?? "retainKeys"
        property["x-kubernetes-patch-strategy"] = .string(strategy)
      }
      properties[field.name] = property
    }
    var schema: JSONValue = ["type": "object", "description": .string(object.description)]
    if !properties.isEmpty { schema["properties"] = .object(properties) }
    let required = object.fields.filter(\.isRequired).map { JSONValue.string($0.name) }
    if !required.isEmpty { schema["required"] = .array(required) }
    return schema
  }

  /// Unions, of which a patch must drop the members that it does not name (`patchStrategy: retainKeys`).
  private static let keepsNamedFieldsOnly: Set<String> = [
    "io.k8s.api.apps.v1.DeploymentSpec.strategy", "io.k8s.api.core.v1.PodSpec.volumes",
    "io.k8s.api.core.v1.PodSpec.resourceClaims", "io.k8s.api.core.v1.PodStatus.resourceClaimStatuses",
  ]

  private func property(_ schema: Schema) -> JSONValue {
    switch schema {
    case .string(let format, let allowed): return Self.text(format, allowed)
    case .integer(let bits, _): return ["type": "integer", "format": .string("int\(bits)")]
    case .number: return ["type": "number", "format": "double"]
    case .boolean: return ["type": "boolean"]
    case .quantity: return Self.reference(Self.quantity)
    case .intOrString: return Self.reference(Self.intOrString)
    case .map(let element): return ["type": "object", "additionalProperties": property(element)]
    case .reference(let name): return Self.reference(name)
    case .any: return ["x-kubernetes-preserve-unknown-fields": true]
    case .array(let element, let kind):
      var property: JSONValue = ["type": "array", "items": self.property(element)]
      switch kind {
      case .atomic: property["x-kubernetes-list-type"] = "atomic"
      case .set:
        property["x-kubernetes-list-type"] = "set"
        property["x-kubernetes-patch-strategy"] = "merge"
      case .map(let keys):
        property["x-kubernetes-list-type"] = "map"
        property["x-kubernetes-list-map-keys"] = .array(keys.map { .string($0) })
        property["x-kubernetes-patch-strategy"] = "merge"
        property["x-kubernetes-patch-merge-key"] = .string(keys.first ?? "")
      }
      return property
    }
  }

  /// A text, of a format or a choice of few.
  static func text(_ format: String?, _ allowed: [String]) -> JSONValue {
    var property: JSONValue = ["type": "string"]
    if let format { property["format"] = .string(format.hasPrefix("date-time") ? "date-time" : format) }
    if !allowed.isEmpty { property["enum"] = .array(allowed.map { .string($0) }) }
    return property
  }

  static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

  private func listSchema(_ item: DiscoveredResource) -> JSONValue {
    let resource = item.resource
    return [
      "type": "object", "description": .string("Objects of kind \(resource.kind)."), "required": ["items"],
      "properties": [
        "apiVersion": ["type": "string"], "kind": ["type": "string"],
        "metadata": ["allOf": [Self.reference("\(Self.meta).ListMeta")]],
        "items": ["type": "array", "items": Self.reference(item.schema)],
      ],
      "x-kubernetes-group-version-kind": [
        groupVersionKind(resource.group, resource.version, "\(resource.kind)List")
      ],
    ]
  }

  private func groupVersionKind(_ group: String, _ version: String, _ kind: String) -> JSONValue {
    ["group": .string(group), "version": .string(version), "kind": .string(kind)]
  }
}

extension Schema {
  /// The named object that the shape leads to, if it does.
  fileprivate var referenced: String? {
    switch self {
    case .reference(let name): name
    case .map(let element), .array(let element, _): element.referenced
    default: nil
    }
  }
}
