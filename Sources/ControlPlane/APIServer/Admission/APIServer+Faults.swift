import JSONDocument
import KubernetesAPI

extension APIServer {
  /// Everything wrong with an object that is about to be written.
  ///
  /// What was wrong with it already, and still is in the same words, is let be: an object of an older server, which knew
  /// fewer rules, can still be changed, get its status and lose its finalizers (upstream: ratcheting validation, KEP-4008).
  func faults(of object: KubernetesObject, old: KubernetesObject?, _ context: RequestContext) -> [APIStatus.Cause] {
    let causes = allFaults(of: object, old: old, context)
    guard let old, !causes.isEmpty else { return causes }
    let known = Set(allFaults(of: old, old: old, context))
    return causes.filter { !known.contains($0) }
  }

  /// Lists of empty elements become large by their defaults, so a large body must have the right shape before it gets them.
  func checkBeforeDefaults(_ object: KubernetesObject, old: KubernetesObject?, _ context: RequestContext)
    throws(APIStatus)
  {
    guard context.request.body.count > Self.largeBody else { return }
    let known = Set(old.map { schemaFaults(of: $0.json, context.definition) } ?? [])
    let causes = schemaFaults(of: object.json, context.definition).filter { !known.contains($0) }
    guard causes.isEmpty else { throw APIStatus.invalid(context.resource, object.name, causes) }
  }

  private static let largeBody = 64 << 10

  private func allFaults(of object: KubernetesObject, old: KubernetesObject?, _ context: RequestContext)
    -> [APIStatus.Cause]
  {
    var causes = schemaFaults(of: object.json, context.definition)
    causes += MetadataRules.faults(of: object, old: old, context.definition)
    // A kind's own rules may rely on what the schema promises.
    if causes.isEmpty { causes += context.definition.validate(object, old) }
    return causes
  }
}

/// The rules for metadata that depend on what is stored; the registry's validation holds the others.
enum MetadataRules {
  static func faults(of object: KubernetesObject, old: KubernetesObject?, _ definition: ResourceDefinition)
    -> [APIStatus.Cause]
  {
    var causes: [APIStatus.Cause] = []
    if old == nil, !isName(object.name, definition.nameRule) {
      causes.append(
        .init(
          .invalid, field: "metadata.name",
          message: "Invalid value: \"\(object.name.prefix(300))\": \(explanation(definition.nameRule))"))
    }
    // What stands in the store already is let be, so that an object of an older server can still be changed.
    var fields = FieldFaults()
    if object.metadata["labels"] != old?.metadata["labels"] {
      fields.checkLabels("metadata.labels", object.metadata["labels"])
    }
    if object.metadata["annotations"] != old?.metadata["annotations"] {
      fields.checkAnnotations("metadata.annotations", object.metadata["annotations"])
    }
    for finalizer in object.finalizers where old?.finalizers.contains(finalizer) != true {
      if !Names.isQualifiedName(finalizer) {
        fields.invalid(
          "metadata.finalizers", .string(finalizer), "a finalizer must be a name such as example.com/what-is-cleaned-up"
        )
      }
    }
    causes += fields.causes
    if let old, old.isBeingDeleted {
      let added = Set(object.finalizers).subtracting(old.finalizers).sorted()
      if !added.isEmpty {
        causes.append(
          .init(
            .forbidden, field: "metadata.finalizers",
            message:
              "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \(added)")
        )
      }
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
}
