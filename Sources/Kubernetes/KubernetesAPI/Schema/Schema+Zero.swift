import JSONDocument

extension Schema {
  /// What a value of this shape is when nothing is said of it: an entry of a map or a list that is null, or that a
  /// protobuf message leaves out. Null if the shape does not tell.
  var zero: JSONValue {
    switch self {
    case .quantity: "0"
    case .integer, .number, .intOrString: 0
    case .boolean: false
    case .array: []
    case .map, .reference: [:]
    case .string: ""
    case .any: .null
    }
  }
}

extension JSONValue {
  /// Without the members of objects that are null; elements of arrays hold their places.
  /// - Returns: `nil` if there is none.
  func withoutNullMembers() -> JSONValue? {
    switch self {
    case .object(let members):
      var kept: [String: JSONValue]?
      for (key, member) in members {
        if member.isNull {
          kept = kept ?? members
          kept?[key] = nil
        } else if let pruned = member.withoutNullMembers() {
          kept = kept ?? members
          kept?[key] = pruned
        }
      }
      return kept.map { .object($0) }
    case .array(let elements):
      var kept: [JSONValue]?
      for (index, element) in elements.enumerated() {
        guard let pruned = element.withoutNullMembers() else { continue }
        kept = kept ?? elements
        kept?[index] = pruned
      }
      return kept.map { .array($0) }
    default: return nil
    }
  }
}
