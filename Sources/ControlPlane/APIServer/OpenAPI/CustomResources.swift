import JSONDocument
public import KubernetesAPI

/// Our own kinds as CustomResourceDefinitions (apiextensions.k8s.io/v1), for clusters whose API server is not ours. They follow from
/// the declarations by which ours serves the kinds, as far as a definition can say it: what a declaration checks by code, ranges of
/// fields together, is not in there.
public struct CustomResources: Sendable {
  public static let resource = Resource(
    group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions",
    kind: "CustomResourceDefinition", isNamespaced: false)

  /// Objects below each other; deeper is cut off as anything.
  private static let depth = 24

  private let registry: ResourceRegistry

  public init(_ registry: ResourceRegistry = .standard) { self.registry = registry }

  /// Those that no Kubernetes has by itself.
  public var kinds: [Resource] {
    registry.definitions.map(\.resource).filter { $0.group == "nagaya.dev" || $0.group.hasSuffix(".nagaya.dev") }
  }

  /// The definition of a kind; `nil` if it is not declared.
  public func definition(of resource: Resource) -> KubernetesObject? {
    guard let declared = registry.definition(of: resource), let schema = registry.schemas[declared.schema] else {
      return nil
    }
    var version: JSONValue = [
      "name": .string(resource.version), "served": true, "storage": true,
      "schema": ["openAPIV3Schema": root(schema)],
    ]
    let columns = declared.columns.compactMap(Self.column)
    if !columns.isEmpty { version["additionalPrinterColumns"] = .array(columns) }
    let subresources = Self.subresources(declared)
    if !subresources.members.isEmpty { version["subresources"] = subresources }
    var names: JSONValue = [
      "plural": .string(resource.plural), "singular": .string(declared.singular), "kind": .string(resource.kind),
      "listKind": .string("\(resource.kind)List"),
    ]
    if !declared.shortNames.isEmpty { names["shortNames"] = .array(declared.shortNames.map { .string($0) }) }
    if !declared.categories.isEmpty { names["categories"] = .array(declared.categories.map { .string($0) }) }
    var definition = KubernetesObject(Self.resource, name: resource.qualifiedPlural)
    definition.spec = [
      "group": .string(resource.group), "scope": resource.isNamespaced ? "Namespaced" : "Cluster", "names": names,
      "versions": [version],
    ]
    return definition
  }

  private static func subresources(_ declared: ResourceDefinition) -> JSONValue {
    var subresources: JSONValue = .object([:])
    if declared.subresources.contains(.status) { subresources["status"] = .object([:]) }
    if declared.subresources.contains(.scale) {
      subresources["scale"] = ["specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"]
    }
    return subresources
  }

  /// Columns whose value is one field; the name is there by itself.
  private static func column(_ column: TableColumn) -> JSONValue? {
    guard let path = column.path else { return nil }
    var json: JSONValue = [
      "name": .string(column.name), "type": path.hasSuffix("Timestamp") ? "date" : .string(column.type),
      "jsonPath": .string(path),
    ]
    if !column.description.isEmpty { json["description"] = .string(column.description) }
    if column.priority > 0 { json["priority"] = JSONValue(column.priority) }
    return json
  }

  // MARK: Schemas

  /// The whole object: what every object has is checked by the API server, and must not be described.
  private func root(_ object: ObjectSchema) -> JSONValue {
    var schema = self.schema(of: object, depth: Self.depth)
    schema["properties"]["apiVersion"] = ["type": "string"]
    schema["properties"]["kind"] = ["type": "string"]
    schema["properties"]["metadata"] = ["type": "object"]
    return schema
  }

  private func schema(of object: ObjectSchema, depth: Int, keys: [String] = []) -> JSONValue {
    var properties: [String: JSONValue] = [:]
    for field in object.fields {
      var property = self.property(field.schema, depth: depth - 1)
      if !field.description.isEmpty { property["description"] = .string(field.description) }
      properties[field.name] = property
    }
    var schema: JSONValue = ["type": "object"]
    if !object.description.isEmpty { schema["description"] = .string(object.description) }
    if properties.isEmpty { schema["x-kubernetes-preserve-unknown-fields"] = true }
    schema["properties"] = .object(properties)
    // What objects of a list are told apart by must be there.
    let required = object.fields.filter { $0.isRequired || keys.contains($0.name) }.map { JSONValue.string($0.name) }
    if !required.isEmpty { schema["required"] = .array(required) }
    return schema
  }

  private func property(_ schema: Schema, depth: Int, keys: [String] = []) -> JSONValue {
    switch schema {
    case .string(let format, let allowed): return OpenAPIBuilder.text(format, allowed)
    case .integer(let bits, let range):
      var property: JSONValue = ["type": "integer", "format": .string("int\(bits)")]
      // A bound that the format has anyway must not be said: it is checked as a fraction, which is more than the format takes.
      let most = bits == 32 ? Int64(Int32.max) : .max
      if let range {
        if range.lowerBound > -most - 1 { property["minimum"] = .integer(range.lowerBound) }
        if range.upperBound < most { property["maximum"] = .integer(range.upperBound) }
      }
      return property
    case .number: return ["type": "number", "format": "double"]
    case .boolean: return ["type": "boolean"]
    case .quantity, .intOrString:
      return ["x-kubernetes-int-or-string": true, "anyOf": [["type": "integer"], ["type": "string"]]]
    case .map(let element):
      return ["type": "object", "additionalProperties": property(element, depth: depth - 1)]
    case .reference(let name):
      guard depth > 0, let object = registry.schemas[name] else { return Self.anything }
      return self.schema(of: object, depth: depth, keys: keys)
    case .any: return Self.anything
    case .array(let element, let kind):
      var property: JSONValue = ["type": "array"]
      switch kind {
      case .atomic: property["x-kubernetes-list-type"] = "atomic"
      case .set: property["x-kubernetes-list-type"] = "set"
      case .map(let keys):
        property["x-kubernetes-list-type"] = "map"
        property["x-kubernetes-list-map-keys"] = .array(keys.map { .string($0) })
      }
      if case .map(let keys) = kind {
        property["items"] = self.property(element, depth: depth - 1, keys: keys)
      } else {
        property["items"] = self.property(element, depth: depth - 1)
      }
      return property
    }
  }

  private static let anything: JSONValue = ["x-kubernetes-preserve-unknown-fields": true]
}
