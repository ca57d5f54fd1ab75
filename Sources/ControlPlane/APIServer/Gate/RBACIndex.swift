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

  init(reading objects: any ObjectReading) {
    let clusterRoles = objects.objects(of: .clusterRoles, namespace: nil)
    for role in clusterRoles { clusterRules[role.name] = Self.rules(of: role, among: clusterRoles) }
    for role in objects.objects(of: .roles, namespace: nil) {
      namespacedRules[role.key] = role["rules"].elements.map(RBACRule.init)
    }
    for binding in objects.objects(of: .clusterRoleBindings, namespace: nil) {
      add(binding, namespace: nil, kind: "ClusterRoleBinding")
    }
    for binding in objects.objects(of: .roleBindings, namespace: nil) {
      add(binding, namespace: binding.namespace, kind: "RoleBinding")
    }
  }

  /// A role's own rules, or those of all the roles that its aggregation selects by labels.
  static func rules(of role: KubernetesObject, among roles: [KubernetesObject]) -> [RBACRule] {
    let selectors = role["aggregationRule"]["clusterRoleSelectors"].elements
    guard !selectors.isEmpty else { return role["rules"].elements.map(RBACRule.init) }
    return selectors.flatMap { json -> [RBACRule] in
      guard let selector = try? LabelSelector(json: json) else { return [] }
      return roles.filter { $0.name != role.name && selector.matches($0.labels) }
        .flatMap { $0["rules"].elements.map(RBACRule.init) }
    }
  }

  /// The rules that a `roleRef` stands for; `nil` if there is no such role.
  func rules(of reference: JSONValue, namespace: String?) -> [RBACRule]? {
    let name = reference["name"].string ?? ""
    switch reference["kind"].string {
    case "ClusterRole": return clusterRules[name]
    case "Role": return namespace.flatMap { namespacedRules[ObjectKey(namespace: $0, name: name)] }
    default: return nil
    }
  }

  private mutating func add(_ binding: KubernetesObject, namespace: String?, kind: String) {
    let reference = binding["roleRef"]
    guard let rules = rules(of: reference, namespace: namespace) else { return }
    let place = namespace.map { " in namespace \"\($0)\"" } ?? ""
    let grant = Grant(
      namespace: namespace, rules: rules,
      source:
        "RBAC: allowed by \(kind) \"\(binding.name)\"\(place) of \(reference["kind"].string ?? "") \"\(reference["name"].string ?? "")\""
    )
    for subject in binding["subjects"].elements {
      let name = subject["name"].string ?? ""
      switch subject["kind"].string {
      case "User": add(grant, to: .user(name))
      case "Group": add(grant, to: .group(name))
      case "ServiceAccount":
        let home = subject["namespace"].string ?? namespace ?? ""
        add(grant, to: .user("system:serviceaccount:\(home):\(name)"))
      default: break
      }
    }
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
