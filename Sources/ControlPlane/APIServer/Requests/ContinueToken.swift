import Foundation
import JSONDocument
import KubernetesAPI

/// Where the next page of a list begins, and at which revision all its pages are. Opaque to clients.
struct ContinueToken: Sendable, Hashable {
  let revision: UInt64
  let next: ObjectKey

  init(revision: UInt64, next: ObjectKey) {
    self.revision = revision
    self.next = next
  }

  /// - Throws: `APIStatus` (400) if this server did not make the text.
  init(_ text: String) throws(APIStatus) {
    guard text.utf8.count <= 2048, let data = Data(base64Encoded: text),
      let json = try? JSONValue(parsing: [UInt8](data), limits: JSONLimits(depth: 2)),
      let revision = json["v"].int, revision >= 0, let namespace = json["s"].string, let name = json["n"].string
    else { throw APIStatus(.badRequest, "continue key is not valid: list anew from the beginning") }
    self.revision = UInt64(revision)
    next = ObjectKey(namespace: namespace, name: name)
  }

  var text: String {
    let json: JSONValue = [
      "v": .integer(Int64(revision)), "s": .string(next.namespace), "n": .string(next.name),
    ]
    return Data(json.encoded()).base64EncodedString()
  }
}
