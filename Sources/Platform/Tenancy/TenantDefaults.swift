public import JSONDocument
import KubernetesAPI

/// What a new tenant gets where it says nothing: bounds that keep one tenant from taking the node, wide enough for a team.
public struct TenantDefaults: Sendable, Hashable {
  /// `spec.quota.hard`
  public var quota: [String: JSONValue]
  /// `spec.limits`
  public var limits: [String: JSONValue]

  public init(quota: [String: JSONValue], limits: [String: JSONValue]) {
    self.quota = quota
    self.limits = limits
  }

  public static let none = TenantDefaults(quota: [:], limits: [:])

  /// Without a quota of memory: a node's size is not known here. Every container has a limit of it all the same.
  public static let standard = TenantDefaults(
    quota: [
      "pods": "200", "services": "200", "persistentvolumeclaims": "200", "configmaps": "2000", "secrets": "2000",
      "count/deployments.apps": "500", "count/replicasets.apps": "5000", "count/applications.nagaya.dev": "500",
    ],
    limits: [
      "default": ["memory": "1Gi", "ephemeral-storage": "4Gi"],
      "defaultRequest": ["cpu": "10m", "memory": "32Mi", "ephemeral-storage": "32Mi"],
    ])

  /// Writes down what the tenant leaves open; what it says, an empty `quota` or `limits` too, stays.
  func apply(to tenant: inout KubernetesObject) {
    if tenant.spec["quota"].isNull, !quota.isEmpty { tenant.spec["quota"] = ["hard": .object(quota)] }
    if tenant.spec["limits"].isNull, !limits.isEmpty { tenant.spec["limits"] = .object(limits) }
  }
}
