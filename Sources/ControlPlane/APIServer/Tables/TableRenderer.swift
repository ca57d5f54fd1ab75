import JSONDocument
import KubernetesAPI

/// Writes objects of one kind as `meta.k8s.io/v1 Table`: the columns that `kubectl get` prints.
///
/// A table is written in pieces (`prefix`, rows joined by commas, `suffix`), so that a long list is never held whole.
public struct TableRenderer: Sendable {
  /// What a row carries of its object (`TableOptions.includeObject`).
  public enum IncludedObject: String, Sendable, Hashable {
    case none = "None"
    case metadata = "Metadata"
    case object = "Object"
  }

  private let columns: [TableColumn]
  /// A table up to its first row, with the columns' definitions.
  public let prefix: [UInt8]
  /// As `prefix`, without definitions: events of a watch after the first.
  public let shortPrefix: [UInt8]

  public init(_ definition: ResourceDefinition) {
    columns = definition.columns
    let definitions: JSONValue = .array(columns.map(\.definition))
    let start = Array(#"{"apiVersion":"meta.k8s.io/v1","columnDefinitions":"#.utf8)
    let end = Array(#","kind":"Table","rows":["#.utf8)
    prefix = start + definitions.encoded() + end
    shortPrefix = start + Array("[]".utf8) + end
  }

  /// One row.
  /// - Parameter bytes: the object's document, which is also what the cells are read from.
  /// - Throws: `JSONError` if the bytes are no document.
  public func row(of bytes: [UInt8], including included: IncludedObject) throws(JSONError) -> [UInt8] {
    let object = try KubernetesObject(parsing: bytes)
    var row = Array(#"{"cells":"#.utf8)
    row += JSONValue.array(columns.map { $0.value(object) }).encoded()
    switch included {
    case .none: break
    case .metadata:
      row += Array(#","object":"#.utf8)
      let partial: JSONValue = [
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object.metadata,
      ]
      row += partial.encoded()
    case .object:
      row += Array(#","object":"#.utf8)
      row += bytes
    }
    row.append(UInt8(ascii: "}"))
    return row
  }

  /// A table behind its last row.
  /// - Parameters:
  ///   - next: the token of the next page
  ///   - remaining: how many objects follow, if that is known
  public func suffix(resourceVersion: String, next: String? = nil, remaining: Int? = nil) -> [UInt8] {
    var metadata: JSONValue = ["resourceVersion": .string(resourceVersion)]
    if let next { metadata["continue"] = .string(next) }
    if let remaining { metadata["remainingItemCount"] = JSONValue(remaining) }
    return Array(#"],"metadata":"#.utf8) + metadata.encoded() + [UInt8(ascii: "}")]
  }

  /// A table of one object: the answer to a get, or the object of a watch event.
  public func document(
    of bytes: [UInt8], including included: IncludedObject, withDefinitions: Bool = true
  ) throws(JSONError) -> [UInt8] {
    let version = JSONScanner.string(at: ["metadata", "resourceVersion"], in: bytes) ?? ""
    return (withDefinitions ? prefix : shortPrefix) + (try row(of: bytes, including: included))
      + suffix(resourceVersion: version)
  }
}

extension TableColumn {
  /// `metav1.TableColumnDefinition`
  var definition: JSONValue {
    [
      "name": .string(name), "type": .string(type), "format": .string(format), "description": .string(description),
      "priority": JSONValue(priority),
    ]
  }
}
