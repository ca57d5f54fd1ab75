import JSONDocument
import KubernetesAPI

/// Writes objects of one kind in the form that a client asked for.
struct ObjectRendering: Sendable {
  let form: ResponseForm
  let definition: ResourceDefinition
  let table: TableOptions
  let counters: ServerCounters
  let tableRenderer: TableRenderer

  /// `includeObject` of table requests, and whether names of namespaces are a column of the client's.
  struct TableOptions: Sendable {
    var includedObject = TableRenderer.IncludedObject.metadata
  }

  /// One object's document.
  func document(_ record: ObjectRecord) throws(APIStatus) -> [UInt8] {
    switch form {
    case .object: return record.bytes
    case .metadata: return Self.metadata(of: record)
    case .table: return try tableDocument(record)
    }
  }

  /// A watch event's line.
  func event(_ type: WatchEventType, _ record: ObjectRecord) throws(APIStatus) -> [UInt8] {
    type.encoded(try document(record))
  }

  /// A bookmark's line: nothing but the revision up to which the watcher has seen everything.
  func bookmark(revision: UInt64, endsInitialEvents: Bool = false) -> [UInt8] {
    var object: JSONValue
    switch form {
    case .object:
      object = ["apiVersion": .string(definition.resource.apiVersion), "kind": .string(definition.resource.kind)]
    case .metadata: object = ["apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"]
    case .table: object = ["apiVersion": "meta.k8s.io/v1", "kind": "Table", "columnDefinitions": [], "rows": []]
    }
    object["metadata"]["resourceVersion"] = .string(String(revision))
    if endsInitialEvents { object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true" }
    let event: JSONValue = ["type": "BOOKMARK", "object": object]
    return event.encoded() + [UInt8(ascii: "\n")]
  }

  /// `PartialObjectMetadata` (meta/v1): cut out of the bytes, nothing is decoded.
  static func metadata(of record: ObjectRecord) -> [UInt8] {
    var bytes = Array(#"{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":"#.utf8)
    if let range = JSONScanner.range(of: ["metadata"], in: record.bytes) {
      bytes += record.bytes[range]
    } else {
      bytes += Array("{}".utf8)
    }
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }
}
