public import KubernetesAPI

/// Policies in their order, found by what containers have in common with them.
public struct PolicySet: Sendable {
  public let policies: [NodePolicy]
  /// Places of those that name tenants or whole namespaces, by these names; and of all others.
  private let byTenant: [String: [Int]]
  private let byNamespace: [String: [Int]]
  private let others: [Int]

  public static let empty = PolicySet([])

  public init(_ policies: [NodePolicy]) {
    self.policies = policies.sorted()
    hasAudit = policies.contains(where: \.isAudit)
    var (byTenant, byNamespace, others): ([String: [Int]], [String: [Int]], [Int]) = ([:], [:], [])
    for (index, policy) in self.policies.enumerated() {
      if !policy.match.tenants.isEmpty {
        for tenant in policy.match.tenants { byTenant[tenant, default: []].append(index) }
      } else if !policy.match.namespaces.isEmpty, !policy.match.namespaces.contains(where: { $0.hasSuffix("*") }) {
        for namespace in Set(policy.match.namespaces) { byNamespace[namespace, default: []].append(index) }
      } else {
        others.append(index)
      }
    }
    (self.byTenant, self.byNamespace, self.others) = (byTenant, byNamespace, others)
  }

  /// Whether one of them only says what would be.
  public let hasAudit: Bool

  /// Whether it matters whose a namespace is.
  public var namesTenants: Bool { !byTenant.isEmpty }

  /// Those that match a container, in their order.
  /// - Parameter tenant: whose the namespace is; `nil`: nobody's.
  public func matching(namespace: String, tenant: String?, labels: [String: String], container: String) -> [NodePolicy]
  {
    var places = others
    if let tenant { places += byTenant[tenant] ?? [] }
    places += byNamespace[namespace] ?? []
    return places.filter {
      policies[$0].match.matches(namespace: namespace, labels: labels, container: container)
    }.sorted().map { policies[$0] }
  }
}
