import JSONDocument

/// A choice of nodes by their labels and name (core/v1 NodeSelector): one of the terms must hold.
enum NodeSelectorTerms {
  static func match(_ selector: JSONValue, labels: [String: String], name: String) -> Bool {
    selector["nodeSelectorTerms"].elements.contains { matchTerm($0, labels: labels, name: name) }
  }

  /// All expressions of the term hold; an empty term matches nothing.
  static func matchTerm(_ term: JSONValue, labels: [String: String], name: String) -> Bool {
    let expressions = term["matchExpressions"].elements
    let fields = term["matchFields"].elements
    guard !expressions.isEmpty || !fields.isEmpty else { return false }
    return expressions.allSatisfy { holds($0, for: labels[$0["key"].string ?? ""]) }
      && fields.allSatisfy { $0["key"].string == "metadata.name" && holds($0, for: name) }
  }

  private static func holds(_ expression: JSONValue, for value: String?) -> Bool {
    let values = expression["values"].elements.compactMap(\.string)
    switch expression["operator"].string {
    case "In": return value.map(values.contains) ?? false
    case "NotIn": return value.map { !values.contains($0) } ?? true
    case "Exists": return value != nil
    case "DoesNotExist": return value == nil
    case "Gt", "Lt":
      guard let value = value.flatMap({ Int($0) }), let bound = values.first.flatMap({ Int($0) }) else { return false }
      return expression["operator"].string == "Gt" ? value > bound : value < bound
    default: return false
    }
  }
}
