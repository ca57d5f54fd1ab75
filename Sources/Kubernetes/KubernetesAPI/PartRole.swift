import JSONDocument

/// What a part of the platform may ask the API for: a ClusterRole, declared in the part's own room.
///
/// A part holds these rights and no others; each is needed (`PartRightsTests` shows it).
public struct PartRole: Sendable, Hashable {
  /// Verbs on kinds of one API group.
  public struct Rule: Sendable, Hashable {
    /// "" is the core group.
    public var group: String
    /// Plurals, with their subresource where that is meant: `pods/status`.
    public var resources: [String]
    public var verbs: [String]
    /// Only objects of these names; empty: of all.
    public var names: [String]

    public init(_ group: String, _ resources: [String], _ verbs: [String], names: [String] = []) {
      self.group = group
      self.resources = resources
      self.verbs = verbs
      self.names = names
    }
  }

  /// The name of the role, of its binding, and of who holds it.
  public var name: String
  public var rules: [Rule]

  public init(_ name: String, _ rules: [Rule]) {
    self.name = name
    self.rules = rules
  }

  /// The ClusterRole (rbac.authorization.k8s.io/v1).
  public var object: KubernetesObject {
    func list(_ items: [String]) -> JSONValue { .array(items.map { .string($0) }) }
    var role = KubernetesObject(.clusterRoles, name: name)
    role["rules"] = .array(
      rules.map { rule in
        var json: JSONValue = [
          "apiGroups": [.string(rule.group)], "resources": list(rule.resources), "verbs": list(rule.verbs),
        ]
        if !rule.names.isEmpty { json["resourceNames"] = list(rule.names) }
        return json
      })
    return role
  }
}
