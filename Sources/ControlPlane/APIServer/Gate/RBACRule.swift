import JSONDocument

/// One entry of a role's `rules` (`rbac.authorization.k8s.io/v1` PolicyRule).
struct RBACRule: Sendable, Hashable {
  var verbs: [String]
  var apiGroups: [String]
  var resources: [String]
  var resourceNames: [String]
  var nonResourceURLs: [String]

  init(
    verbs: [String], apiGroups: [String] = [], resources: [String] = [], resourceNames: [String] = [],
    nonResourceURLs: [String] = []
  ) {
    self.verbs = verbs
    self.apiGroups = apiGroups
    self.resources = resources
    self.resourceNames = resourceNames
    self.nonResourceURLs = nonResourceURLs
  }

  init(json: JSONValue) {
    func strings(_ key: String) -> [String] { json[key].elements.compactMap(\.string) }
    self.init(
      verbs: strings("verbs"), apiGroups: strings("apiGroups"), resources: strings("resources"),
      resourceNames: strings("resourceNames"), nonResourceURLs: strings("nonResourceURLs"))
  }

  var json: JSONValue {
    func array(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }
    var json: JSONValue = ["verbs": array(verbs)]
    for (key, values) in [
      ("apiGroups", apiGroups), ("resources", resources), ("resourceNames", resourceNames),
      ("nonResourceURLs", nonResourceURLs),
    ] where !values.isEmpty {
      json[key] = array(values)
    }
    return json
  }

  /// All that a cluster administrator may.
  static let everything = [
    RBACRule(verbs: ["*"], apiGroups: ["*"], resources: ["*"]), RBACRule(verbs: ["*"], nonResourceURLs: ["*"]),
  ]

  func allows(_ access: AccessAttributes) -> Bool {
    guard Self.matches(verbs, access.verb) else { return false }
    if let path = access.nonResourcePath { return nonResourceURLs.contains { Self.covers($0, path) } }
    return Self.matches(apiGroups, access.group) && allows(resource: access.resource, subresource: access.subresource)
      && (resourceNames.isEmpty || (!access.name.isEmpty && resourceNames.contains(access.name)))
  }

  private func allows(resource: String, subresource: String) -> Bool {
    let whole = subresource.isEmpty ? resource : "\(resource)/\(subresource)"
    return resources.contains {
      $0 == "*" || $0 == whole || (!subresource.isEmpty && $0 == "*/\(subresource)")
    }
  }

  private static func matches(_ list: [String], _ wanted: String) -> Bool {
    list.contains { $0 == "*" || $0 == wanted }
  }

  /// `/healthz/*` covers all below, `*` everything.
  private static func covers(_ pattern: String, _ path: String) -> Bool {
    pattern == path || (pattern.hasSuffix("*") && path.hasPrefix(pattern.dropLast()))
  }

  // MARK: Escalation

  /// The smallest grants that the rule is made of: one verb on one resource (and name) or path each.
  var atoms: [RBACRule] {
    var atoms: [RBACRule] = []
    for verb in verbs {
      for path in nonResourceURLs { atoms.append(RBACRule(verbs: [verb], nonResourceURLs: [path])) }
      for group in apiGroups {
        for resource in resources {
          if resourceNames.isEmpty {
            atoms.append(RBACRule(verbs: [verb], apiGroups: [group], resources: [resource]))
          }
          for name in resourceNames {
            atoms.append(RBACRule(verbs: [verb], apiGroups: [group], resources: [resource], resourceNames: [name]))
          }
        }
      }
    }
    return atoms
  }

  /// Whether this rule grants all that an atom does; a `*` is only covered by a `*`.
  func covers(atom: RBACRule) -> Bool {
    func every(_ wanted: [String], _ have: [String]) -> Bool { wanted.allSatisfy { Self.matches(have, $0) } }
    guard every(atom.verbs, verbs) else { return false }
    if let path = atom.nonResourceURLs.first { return nonResourceURLs.contains { Self.covers($0, path) } }
    guard every(atom.apiGroups, apiGroups), let resource = atom.resources.first else { return false }
    let parts = resource.split(separator: "/", maxSplits: 1)
    let isCovered = resources.contains { $0 == "*" || $0 == resource || (parts.count == 2 && $0 == "*/\(parts[1])") }
    return isCovered && (resourceNames.isEmpty || (atom.resourceNames.first.map(resourceNames.contains) ?? false))
  }
}
