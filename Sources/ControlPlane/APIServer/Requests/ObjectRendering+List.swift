import JSONDocument
import KubernetesAPI

extension ObjectRendering {
  /// A list up to its first item.
  var listPrefix: [UInt8] {
    switch form {
    case .object: Array(#"{"apiVersion":"\#(definition.resource.apiVersion)","items":["#.utf8)
    case .metadata: Array(#"{"apiVersion":"meta.k8s.io/v1","items":["#.utf8)
    case .table: tablePrefix
    }
  }

  func listItem(_ record: ObjectRecord) throws(APIStatus) -> [UInt8] {
    switch form {
    case .object: record.bytes
    case .metadata: Self.metadata(of: record)
    case .table: try tableRow(record)
    }
  }

  /// A list behind its last item; only there it is known whether more follows.
  func listSuffix(revision: UInt64, next: String?, remaining: Int?) -> [UInt8] {
    var metadata: JSONValue = ["resourceVersion": .string(String(revision))]
    if let next { metadata["continue"] = .string(next) }
    if let remaining { metadata["remainingItemCount"] = JSONValue(remaining) }
    let kind =
      switch form {
      case .object: "\(definition.resource.kind)List"
      case .metadata: "PartialObjectMetadataList"
      case .table: "Table"
      }
    return Array(#"],"kind":"\#(kind)","metadata":"#.utf8) + metadata.encoded() + [UInt8(ascii: "}")]
  }
}
