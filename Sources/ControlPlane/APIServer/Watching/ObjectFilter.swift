import KubernetesAPI

/// Which objects of a kind a list or watch is about; judged by records alone, nothing is decoded.
struct ObjectFilter: Sendable {
  enum Source: Sendable, Hashable {
    case name
    case namespace
    /// The position among the kind's selectable fields.
    case field(Int)
  }
  struct FieldRequirement: Sendable, Hashable {
    let source: Source
    let value: String
    let isNegated: Bool
  }

  /// `nil`: all namespaces.
  var namespace: String?
  var labels = LabelSelector()
  var fields: [FieldRequirement] = []

  var isEverything: Bool { labels.isEmpty && fields.isEmpty }

  func matches(_ record: ObjectRecord) -> Bool {
    if let namespace, record.key.namespace != namespace { return false }
    for requirement in fields {
      let value =
        switch requirement.source {
        case .name: record.key.name
        case .namespace: record.key.namespace
        case .field(let index): record.fields[index]
        }
      if (value == requirement.value) == requirement.isNegated { return false }
    }
    return labels.isEmpty || labels.matches(record.labels)
  }

  /// The one name that can match, if the fields say so.
  var onlyName: String? {
    fields.first { $0.source == .name && !$0.isNegated }?.value
  }

  /// Reads `labelSelector` and `fieldSelector`.
  /// - Throws: `APIStatus` (400) for what cannot be read or asked.
  init(definition: ResourceDefinition, namespace: String?, labels: String?, fields: String?) throws(APIStatus) {
    self.namespace = namespace
    if let labels, !labels.isEmpty {
      do { self.labels = try LabelSelector(parsing: labels) } catch {
        throw APIStatus(.badRequest, "unable to parse the label selector: \(error)")
      }
    }
    for term in (fields ?? "").split(separator: ",") {
      self.fields.append(try Self.requirement(String(term), definition))
    }
  }

  private static func requirement(_ term: String, _ definition: ResourceDefinition) throws(APIStatus)
    -> FieldRequirement
  {
    let (path, value, isNegated): (Substring, Substring, Bool)
    if let range = term.firstRange(of: "!=") {
      (path, value, isNegated) = (term[..<range.lowerBound], term[range.upperBound...], true)
    } else if let range = term.firstRange(of: "==") ?? term.firstRange(of: "=") {
      (path, value, isNegated) = (term[..<range.lowerBound], term[range.upperBound...], false)
    } else {
      throw APIStatus(.badRequest, "invalid field selector \"\(term)\": use PATH=VALUE or PATH!=VALUE")
    }
    let source: Source
    switch path {
    case "metadata.name": source = .name
    case "metadata.namespace" where definition.resource.isNamespaced: source = .namespace
    default:
      guard let index = definition.selectableFields.firstIndex(where: { $0.path == path }) else {
        throw APIStatus(.badRequest, "field label not supported: \(path)")
      }
      source = .field(index)
    }
    return FieldRequirement(source: source, value: String(value), isNegated: isNegated)
  }
}
