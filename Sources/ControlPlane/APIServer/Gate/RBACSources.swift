import JSONDocument
import KubernetesAPI

/// The cluster's roles and bindings, read: each object is decoded once for each of its revisions, so that a change decodes as much
/// among many as among few. What is read is still gone through as a whole.
struct RBACSources: Sendable {
  struct Role: Sendable {
    let key: ObjectKey
    let labels: [String: String]
    let rules: [RBACRule]
    /// What an aggregated role collects (rbac.authorization.k8s.io/v1 AggregationRule); empty: it is none.
    let selectors: [LabelSelector?]
  }

  struct Binding: Sendable {
    let key: ObjectKey
    let kind: String
    /// `nil`: in the whole cluster.
    let namespace: String?
    let roleKind: String
    let roleName: String
    let subjects: [RBACIndex.Subject]
  }

  private struct Known<Value: Sendable>: Sendable {
    var revision: UInt64
    var value: Value
  }

  /// Objects of one kind, by key.
  private struct Shelf<Value: Sendable>: Sendable {
    var known: [ObjectKey: Known<Value>] = [:]
    /// The values in the order of the keys.
    var values: [Value] = []

    /// - Returns: how many were decoded.
    mutating func refresh(_ versions: [ObjectVersion], _ read: (KubernetesObject) -> Value) -> Int {
      var decoded = 0
      var next: [ObjectKey: Known<Value>] = [:]
      next.reserveCapacity(versions.count)
      values.removeAll(keepingCapacity: true)
      for version in versions {
        var known = known[version.key]
        if known?.revision != version.revision {
          decoded += 1
          // One that cannot be read grants nothing.
          known = version.decode().map { Known(revision: version.revision, value: read($0)) }
        }
        guard let known else { continue }
        next[version.key] = known
        values.append(known.value)
      }
      known = next
      return decoded
    }
  }

  private var roleShelf = Shelf<Role>()
  private var clusterRoleShelf = Shelf<Role>()
  private var bindingShelf = Shelf<Binding>()
  private var clusterBindingShelf = Shelf<Binding>()
  /// Objects that were decoded so far.
  private(set) var decodes = 0

  var roles: [Role] { roleShelf.values }
  var clusterRoles: [Role] { clusterRoleShelf.values }
  /// Those of the whole cluster first.
  var bindings: [Binding] { clusterBindingShelf.values + bindingShelf.values }

  mutating func refresh(_ objects: any ObjectReading) {
    decodes += clusterRoleShelf.refresh(objects.versions(of: .clusterRoles), Role.init)
    decodes += roleShelf.refresh(objects.versions(of: .roles), Role.init)
    decodes += clusterBindingShelf.refresh(objects.versions(of: .clusterRoleBindings)) {
      Binding($0, kind: "ClusterRoleBinding", namespace: nil)
    }
    decodes += bindingShelf.refresh(objects.versions(of: .roleBindings)) {
      Binding($0, kind: "RoleBinding", namespace: $0.namespace)
    }
  }
}

extension RBACSources.Role {
  init(_ role: KubernetesObject) {
    key = role.key
    labels = role.labels
    rules = role["rules"].elements.map(RBACRule.init)
    selectors = role["aggregationRule"]["clusterRoleSelectors"].elements.map { try? LabelSelector(json: $0) }
  }

  /// Its own rules, or those of all the roles that its aggregation selects by labels.
  func rules(among roles: [RBACSources.Role]) -> [RBACRule] {
    guard !selectors.isEmpty else { return rules }
    return selectors.flatMap { selector -> [RBACRule] in
      guard let selector else { return [] }
      return roles.filter { $0.key.name != key.name && selector.matches($0.labels) }.flatMap(\.rules)
    }
  }
}

extension RBACSources.Binding {
  init(_ binding: KubernetesObject, kind: String, namespace: String?) {
    key = binding.key
    self.kind = kind
    self.namespace = namespace
    roleKind = binding["roleRef"]["kind"].string ?? ""
    roleName = binding["roleRef"]["name"].string ?? ""
    subjects = binding["subjects"].elements.compactMap { subject in
      let name = subject["name"].string ?? ""
      switch subject["kind"].string {
      case "User": return .user(name)
      case "Group": return .group(name)
      case "ServiceAccount":
        return .user("system:serviceaccount:\(subject["namespace"].string ?? namespace ?? ""):\(name)")
      default: return nil
      }
    }
  }
}
