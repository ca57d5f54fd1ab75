import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The roles and bindings of one moment, compiled: subject → what it is bound to.
struct RBACIndex: Sendable {
  struct Grant: Sendable {
    /// `nil`: in the whole cluster.
    let namespace: String?
    let rules: [RBACRule]
    /// For reasons: `ClusterRoleBinding "x" of ClusterRole "y"`.
    let source: String
  }
  enum Subject: Hashable {
    case user(String)
    case group(String)
  }

  static let resources: [Resource] = [.roles, .roleBindings, .clusterRoles, .clusterRoleBindings]

  private(set) var grants: [Subject: [Grant]] = [:]
  private var namespaces: [Subject: Set<String>] = [:]
  private var clusterRules: [String: [RBACRule]] = [:]
  private var namespacedRules: [ObjectKey: [RBACRule]] = [:]

  init(_ sources: RBACSources) {
    for role in sources.clusterRoles { clusterRules[role.key.name] = role.rules(among: sources.clusterRoles) }
    for role in sources.roles { namespacedRules[role.key] = role.rules }
    for binding in sources.bindings { add(binding) }
  }

  /// The rules that a `roleRef` stands for; `nil` if there is no such role.
  func rules(of reference: JSONValue, namespace: String?) -> [RBACRule]? {
    rules(reference["kind"].string ?? "", reference["name"].string ?? "", namespace)
  }

  private func rules(_ kind: String, _ name: String, _ namespace: String?) -> [RBACRule]? {
    switch kind {
    case "ClusterRole": clusterRules[name]
    case "Role": namespace.flatMap { namespacedRules[ObjectKey(namespace: $0, name: name)] }
    default: nil
    }
  }

  private mutating func add(_ binding: RBACSources.Binding) {
    guard let rules = rules(binding.roleKind, binding.roleName, binding.namespace) else { return }
    let place = binding.namespace.map { " in namespace \"\($0)\"" } ?? ""
    let grant = Grant(
      namespace: binding.namespace, rules: rules,
      source:
        "RBAC: allowed by \(binding.kind) \"\(binding.key.name)\"\(place) of \(binding.roleKind) \"\(binding.roleName)\""
    )
    for subject in binding.subjects { add(grant, to: subject) }
  }

  private mutating func add(_ grant: Grant, to subject: Subject) {
    grants[subject, default: []].append(grant)
    if let namespace = grant.namespace { namespaces[subject, default: []].insert(namespace) }
  }

  /// Where the user holds something, by each of the names that they go by.
  func namespaces(of user: UserInfo) -> [Set<String>] {
    ([Subject.user(user.name)] + user.groups.map { .group($0) }).compactMap { namespaces[$0] }
  }

  /// What the user holds where `namespace` is meant (`nil` or empty: the cluster), cluster-wide grants first.
  func grants(of user: UserInfo, namespace: String?) -> [Grant] {
    let all = ([Subject.user(user.name)] + user.groups.map { .group($0) }).flatMap { grants[$0] ?? [] }
    let place = namespace.flatMap { $0.isEmpty ? nil : $0 }
    return all.filter { $0.namespace == nil } + all.filter { $0.namespace != nil && $0.namespace == place }
  }

  func decide(_ access: AccessAttributes) -> AccessDecision {
    // A namespace is in itself: who holds a role there may hold it for the object of the namespace, too.
    let isNamespace = access.resource == "namespaces" && access.group.isEmpty && access.namespace.isEmpty
    let place = isNamespace ? access.name : access.namespace
    for grant in grants(of: access.user, namespace: place) {
      if access.nonResourcePath != nil, grant.namespace != nil { continue }
      if grant.rules.contains(where: { $0.allows(access) }) { return .allowed(grant.source) }
    }
    // The server words the refusal itself, from the attributes.
    return .denied()
  }
}

extension AccessAttributes {
  /// The words of Kubernetes: `User "x" cannot list resource "pods" in API group "" in the namespace "y"`.
  var denial: String {
    let who = "User \"\(user.name)\" cannot \(verb)"
    if let nonResourcePath { return "\(who) path \"\(nonResourcePath)\"" }
    let what = subresource.isEmpty ? resource : "\(resource)/\(subresource)"
    let place = namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(namespace)\""
    return "\(who) resource \"\(what)\" in API group \"\(group)\" \(place)"
  }
}
