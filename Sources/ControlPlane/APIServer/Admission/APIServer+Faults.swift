import JSONDocument
import KubernetesAPI

extension APIServer {
  /// Everything wrong with an object that is about to be written.
  func faults(of object: KubernetesObject, old: KubernetesObject?, _ context: RequestContext) -> [APIStatus.Cause] {
    var causes = schemaFaults(of: object.json, context.definition)
    causes += MetadataRules.faults(of: object, old: old, context.definition)
    // A kind's own rules may rely on what the schema promises.
    if causes.isEmpty { causes += context.definition.validate(object, old) }
    return causes
  }
}

/// The rules for metadata that hold for every kind.
enum MetadataRules {
  /// Bytes of all annotations of an object (`TotalAnnotationSizeLimitB`).
  private static let annotationBytes = 256 << 10

  static func faults(of object: KubernetesObject, old: KubernetesObject?, _ definition: ResourceDefinition)
    -> [APIStatus.Cause]
  {
    var causes: [APIStatus.Cause] = []
    func invalid(_ field: String, _ value: String, _ why: String) {
      causes.append(.init(.invalid, field: field, message: "Invalid value: \"\(value.prefix(300))\": \(why)"))
    }
    if old == nil, !isName(object.name, definition.nameRule) {
      invalid("metadata.name", object.name, explanation(definition.nameRule))
    }
    for (key, value) in object.labels.sorted(by: { $0.key < $1.key }) {
      if !Names.isQualifiedName(key) { invalid("metadata.labels", key, qualifiedNameRule) }
      if !Names.isLabelValue(value) {
        invalid(
          "metadata.labels", value,
          "a valid label must be an empty string or consist of at most 63 alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        )
      }
    }
    var bytes = 0
    for (key, value) in object.annotations {
      if !Names.isQualifiedName(key.lowercased()) { invalid("metadata.annotations", key, qualifiedNameRule) }
      bytes += key.utf8.count + value.utf8.count
    }
    if bytes > annotationBytes {
      causes.append(
        .init(.tooLong, field: "metadata.annotations", message: "Too long: may not be more than \(annotationBytes) bytes"))
    }
    for finalizer in object.finalizers where !Names.isQualifiedName(finalizer) {
      invalid("metadata.finalizers", finalizer, qualifiedNameRule)
    }
    causes += ownerFaults(object)
    if let old, old.isBeingDeleted {
      let added = Set(object.finalizers).subtracting(old.finalizers).sorted()
      if !added.isEmpty {
        causes.append(
          .init(
            .forbidden, field: "metadata.finalizers",
            message:
              "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \(added)"))
      }
    }
    return causes
  }

  private static func ownerFaults(_ object: KubernetesObject) -> [APIStatus.Cause] {
    var causes: [APIStatus.Cause] = []
    var controllers = 0
    for (index, owner) in object.ownerReferences.enumerated() {
      for (field, value) in [
        ("apiVersion", owner.apiVersion), ("kind", owner.kind), ("name", owner.name), ("uid", owner.uid),
      ] where value.isEmpty {
        causes.append(
          .init(.required, field: "metadata.ownerReferences[\(index)].\(field)", message: "Required value: must not be empty")
        )
      }
      if owner.isController { controllers += 1 }
    }
    if controllers > 1 {
      causes.append(
        .init(
          .invalid, field: "metadata.ownerReferences",
          message: "Invalid value: only one reference can have controller set to true"))
    }
    return causes
  }

  private static func isName(_ name: String, _ rule: ResourceDefinition.NameRule) -> Bool {
    switch rule {
    case .dnsLabel: Names.isDNSLabel(name)
    case .dnsSubdomain: Names.isDNSSubdomain(name)
    // The store orders names by bytes, the cache by characters; they agree on ASCII.
    case .pathSegment: Names.isPathSegment(name) && name.utf8.allSatisfy { $0 < 0x7F }
    }
  }

  private static func explanation(_ rule: ResourceDefinition.NameRule) -> String {
    switch rule {
    case .dnsLabel:
      "a lowercase RFC 1123 label must consist of at most 63 lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
    case .dnsSubdomain:
      "a lowercase RFC 1123 subdomain must consist of at most 253 lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    case .pathSegment: "must be printable ASCII without '/' and '%', and neither '.' nor '..'"
    }
  }

  private static let qualifiedNameRule =
    "name part must consist of at most 63 alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character; an optional DNS subdomain prefix ends with '/'"
}
