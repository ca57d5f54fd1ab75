import JSONDocument
import KubernetesAPI

/// Objects as json, yaml or names; one renderer for every command.
enum ListOutput {
  /// - Parameter isList: several were asked for, so the document is a List even if it holds one.
  static func text(_ objects: [KubernetesObject], of resource: Resource, as format: OutputFormat, isList: Bool) throws
    -> String
  {
    switch format {
    case .name: return objects.map { qualifiedName($0.name, of: resource) + "\n" }.joined()
    case .json: return String(decoding: document(objects, isList).encodedForReading(), as: UTF8.self)
    case .yaml: return try YAML.text(of: document(objects, isList))
    case .table, .wide: return TableText.text([["NAME"]] + objects.map { [$0.name] })
    }
  }

  /// `application.nagaya.dev/hello`, `pod/hello-1`: as kubectl names objects.
  static func qualifiedName(_ name: String, of resource: Resource) -> String { "\(typeName(resource))/\(name)" }

  /// `application.nagaya.dev`, `pod`
  static func typeName(_ resource: Resource) -> String {
    resource.group.isEmpty ? resource.kind.lowercased() : "\(resource.kind.lowercased()).\(resource.group)"
  }

  private static func document(_ objects: [KubernetesObject], _ isList: Bool) -> JSONValue {
    if !isList, let only = objects.first { return only.json }
    return [
      "apiVersion": "v1", "kind": "List", "metadata": ["resourceVersion": ""], "items": .array(objects.map(\.json)),
    ]
  }
}
