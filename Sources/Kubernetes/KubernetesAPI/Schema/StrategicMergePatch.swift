import JSONDocument

/// Strategic merge patch (`application/strategic-merge-patch+json`): a merge patch whose lists are merged by keys that
/// the schema names, with directives for what a merge cannot say.
///
/// Source: "Strategic Merge Patch" in Kubernetes' contributor documentation (sig-api-machinery).
public enum StrategicMergePatch {
  /// - Parameter schema: the target's shape in the catalog: `io.k8s.api.core.v1.Pod`.
  /// - Throws: a failure that names the field and the directive that cannot be applied.
  public static func apply(
    _ patch: JSONValue, to target: JSONValue, schema: String, catalog: SchemaCatalog
  ) throws(JSONPatch.Failure) -> JSONValue {
    guard case .object(let changes) = patch else {
      throw JSONPatch.Failure("a strategic merge patch must be an object")
    }
    let merge = Merge(catalog: catalog)
    return try merge.object(changes, into: target, as: .reference(schema), path: "")
  }

  static let directive = "$patch"
  static let retainKeys = "$retainKeys"
  static let elementOrder = "$setElementOrder/"
  static let deleteElements = "$deleteFromPrimitiveList/"
}

/// The schema-guided walk. Every function returns the merged value.
private struct Merge {
  typealias Failure = JSONPatch.Failure
  let catalog: SchemaCatalog

  func object(
    _ patch: [String: JSONValue], into target: JSONValue, as schema: Schema, path: String
  ) throws(Failure) -> JSONValue {
    var patch = patch
    if let directive = patch.removeValue(forKey: StrategicMergePatch.directive) {
      switch directive.string {
      case "replace": return .object(patch)
      case "delete": return [:]
      case "merge": break
      default: throw fail(path, "unknown $patch directive \(text(directive))")
      }
    }
    var result = target.members
    if let kept = patch.removeValue(forKey: StrategicMergePatch.retainKeys) {
      guard case .array(let listed) = kept else { throw fail(path, "$retainKeys must be a list of field names") }
      let names = Set(listed.compactMap(\.string))
      if let key = patch.first(where: { !$0.key.hasPrefix("$") && !$0.value.isNull && !names.contains($0.key) })?.key {
        throw fail(path, "$retainKeys must contain every field of the patch; \"\(key.prefix(128))\" is missing")
      }
      result = result.filter { names.contains($0.key) }
    }
    var orders: [String: [JSONValue]] = [:]
    for (key, value) in patch where key.hasPrefix("$") {
      patch[key] = nil
      if key.hasPrefix(StrategicMergePatch.elementOrder) {
        orders[String(key.dropFirst(StrategicMergePatch.elementOrder.count))] = value.elements
      } else if key.hasPrefix(StrategicMergePatch.deleteElements) {
        let field = String(key.dropFirst(StrategicMergePatch.deleteElements.count))
        let gone = Set(value.elements)
        guard case .array(let elements)? = result[field] else { continue }
        result[field] = .array(elements.filter { !gone.contains($0) })
      } else {
        throw fail(path, "unknown directive \"\(key.prefix(128))\"")
      }
    }
    for (key, change) in patch {
      let place = Self.place(key, below: path)
      if change.isNull {
        result[key] = nil
        continue
      }
      result[key] = try value(
        change, into: result[key] ?? .null, as: member(key, of: schema), order: orders.removeValue(forKey: key),
        path: place)
    }
    // An order alone, without a change, sorts what is there.
    for (key, order) in orders {
      guard let list = result[key], case .array = list else { continue }
      result[key] = try value(
        [], into: list, as: member(key, of: schema), order: order, path: Self.place(key, below: path))
    }
    return .object(result)
  }

  private func value(
    _ change: JSONValue, into target: JSONValue, as schema: Schema, order: [JSONValue]?, path: String
  ) throws(Failure) -> JSONValue {
    switch change {
    case .object(let members): return try object(members, into: target, as: schema, path: path)
    case .array(let elements):
      guard case .array(let element, let kind) = schema else { return change }
      switch kind {
      case .atomic: return .array(elements)
      case .set: return .array(scalars(elements, into: target.elements, order: order))
      case .map(let keys):
        guard let key = keys.first else { return change }
        return .array(try list(elements, into: target.elements, of: element, key: key, order: order, path: path))
      }
    default: return change
    }
  }

  private func scalars(_ patch: [JSONValue], into target: [JSONValue], order: [JSONValue]?) -> [JSONValue] {
    var seen = Set(target)
    let merged = target + patch.filter { seen.insert($0).inserted }
    guard let order else { return merged }
    return sort(merged, by: order, before: target) { $0 }
  }

  private func list(
    _ patch: [JSONValue], into target: [JSONValue], of element: Schema, key: String, order: [JSONValue]?, path: String
  ) throws(Failure) -> [JSONValue] {
    var merged = target
    var changes: [[String: JSONValue]] = []
    var deleted: Set<JSONValue> = []
    for (index, change) in patch.enumerated() {
      guard case .object(var members) = change else {
        throw fail("\(path)[\(index)]", "must be an object with the merge key \"\(key)\"")
      }
      switch members[StrategicMergePatch.directive]?.string {
      case "replace" where members[key] == nil:
        // Replaces the whole list by the patch's other elements.
        merged = []
        continue
      case "delete":
        guard let name = members[key] else { throw missing(key, "\(path)[\(index)]") }
        deleted.insert(name)
        continue
      case "merge": members[StrategicMergePatch.directive] = nil
      default: break
      }
      guard members[key] != nil else { throw missing(key, "\(path)[\(index)]") }
      changes.append(members)
    }
    if !deleted.isEmpty { merged.removeAll { deleted.contains($0[key]) } }
    // By an index: a patch of many elements would else search the list for each.
    var places = Dictionary(merged.enumerated().map { ($1[key], $0) }, uniquingKeysWith: { first, _ in first })
    for members in changes {
      let name = members[key] ?? .null
      let place = "\(path)[\(text(name))]"
      if let index = places[name] {
        merged[index] = try object(members, into: merged[index], as: element, path: place)
      } else {
        places[name] = merged.count
        merged.append(try object(members, into: [:], as: element, path: place))
      }
    }
    guard let order else { return merged }
    return sort(merged, by: order.map { $0[key] }, before: target) { $0[key] }
  }

  /// Sorts the elements that `order` names as it says; the others keep their place relative to what stood before.
  private func sort(
    _ elements: [JSONValue], by order: [JSONValue], before: [JSONValue], _ key: (JSONValue) -> JSONValue
  ) -> [JSONValue] {
    let ranks = Dictionary(order.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    let places = Dictionary(before.enumerated().map { (key($1), $0) }, uniquingKeysWith: { first, _ in first })
    var named = elements.filter { ranks[key($0)] != nil }
      .sorted { (ranks[key($0)] ?? 0) < (ranks[key($1)] ?? 0) }[...]
    var others = elements.filter { ranks[key($0)] == nil }[...]
    var result: [JSONValue] = []
    while let next = named.first, let other = others.first {
      if let place = places[key(next)], let otherPlace = places[key(other)], otherPlace < place {
        result.append(others.removeFirst())
      } else {
        result.append(named.removeFirst())
      }
    }
    return result + named + others
  }

  /// The shape of a member; any if the schema does not know it.
  private func member(_ key: String, of schema: Schema) -> Schema {
    switch schema {
    case .reference(let name): catalog[name]?.field(key)?.schema ?? .any
    case .map(let element): element
    default: .any
    }
  }

  /// The path of a member, with no more of a long key than shows which it is.
  private static func place(_ key: String, below path: String) -> String {
    let key = key.utf8.count <= 128 ? key : "\(key.prefix(125))..."
    return path.isEmpty ? key : "\(path).\(key)"
  }

  private func missing(_ key: String, _ path: String) -> Failure {
    fail(path, "does not contain the declared merge key \"\(key)\"")
  }

  private func fail(_ path: String, _ why: String) -> Failure {
    Failure("strategic merge patch at \(path.isEmpty ? "the object" : path): \(why)")
  }

  private func text(_ value: JSONValue) -> String {
    let text = value.string ?? String(decoding: value.encoded(), as: UTF8.self)
    return text.utf8.count <= 128 ? text : "\(text.prefix(125))..."
  }
}
