import JSONDocument
import KubernetesAPI
import KubernetesClient

/// A request for a resource, understood.
struct RequestContext: Sendable {
  let request: APIRequest
  let user: UserInfo
  let definition: ResourceDefinition
  /// The kind's position in the registry.
  let kind: Int
  /// Empty: cluster scope, or all namespaces.
  let namespace: String
  /// Empty: the collection.
  let name: String
  let subresource: ResourceDefinition.Subresource?
  /// The subresource as it stands in the path; empty for the object itself.
  let subresourceName: String
  let verb: Verb
  /// Complaints that did not stop the request: `Warning` headers.
  var warnings: [String] = []

  /// The verbs of authorization.
  enum Verb: String, Sendable {
    case get
    case list
    case watch
    case create
    case update
    case patch
    case delete
    case deletecollection
  }

  var resource: Resource { definition.resource }
  var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }

  func key(_ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }

  var access: AccessAttributes {
    AccessAttributes(
      user: user, verb: verb.rawValue, group: resource.group, version: resource.version, resource: resource.plural,
      subresource: subresourceName, namespace: namespace, name: name,
      fieldSelector: user.nodeName == nil ? "" : request.parameter("fieldSelector") ?? "",
      labelSelector: user.isPart || user.nodeName != nil ? request.parameter("labelSelector") ?? "" : "")
  }

  /// `fieldValidation`: what happens to fields that the schema does not know.
  enum FieldValidation: String, Sendable {
    case ignore = "Ignore"
    case warn = "Warn"
    case strict = "Strict"
  }

  func fieldValidation() throws(APIStatus) -> FieldValidation {
    guard let text = request.parameter("fieldValidation"), !text.isEmpty else { return .warn }
    guard let value = FieldValidation(rawValue: text) else {
      throw APIStatus(
        .invalid, "invalid parameter fieldValidation: \"\(text.prefix(40))\": use Ignore, Warn or Strict")
    }
    return value
  }

  /// An answer with this request's warnings (RFC 7234 §5.5, code 299).
  func answer(_ status: Int, _ bytes: [UInt8]) -> APIResponse {
    APIResponse(status: status, headers: warningHeaders, body: .bytes(bytes))
  }

  var warningHeaders: [(name: String, value: String)] {
    warnings.prefix(50).map { warning in
      var text = ""
      // As upstream: so much of each that all together fit into the head of an answer.
      for character in warning.unicodeScalars.prefix(256) where character.value >= 0x20 {
        if character == "\"" || character == "\\" { text += "\\" }
        text.unicodeScalars.append(character)
      }
      return ("Warning", "299 - \"\(text)\"")
    }
  }
}
