import KubernetesAPI

/// The form of an answer that the client asks for in `Accept`.
enum ResponseForm: Sendable, Hashable {
  case object
  /// `as=Table`: what kubectl prints.
  case table
  /// `as=PartialObjectMetadata` or `as=PartialObjectMetadataList`.
  case metadata

  /// The first form that this server has.
  /// - Throws: `APIStatus` (406) if there is none.
  init(accept: String?) throws(APIStatus) {
    guard let accept, !accept.isEmpty else {
      self = .object
      return
    }
    for choice in accept.split(separator: ",") {
      let parts = choice.split(separator: ";").map { $0.trimmingPrefix(while: { $0 == " " }) }
      guard let type = parts.first?.split(separator: " ").first else { continue }
      guard ["application/json", "application/*", "*/*"].contains(type.lowercased()) else { continue }
      var asked: Substring?
      var isKnownVersion = true
      for parameter in parts.dropFirst() {
        if parameter.hasPrefix("as=") { asked = parameter.dropFirst(3) }
        if parameter.hasPrefix("v="), parameter.dropFirst(2) != "v1" { isKnownVersion = false }
      }
      switch asked {
      case nil:
        self = .object
        return
      case "Table" where isKnownVersion:
        self = .table
        return
      case "PartialObjectMetadata" where isKnownVersion, "PartialObjectMetadataList" where isKnownVersion:
        self = .metadata
        return
      default: continue
      }
    }
    throw APIStatus(.notAcceptable, "only the following media types are accepted: application/json")
  }
}
