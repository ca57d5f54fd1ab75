import JSONDocument
import KubernetesAPI

/// What one environment of a tenant consists of. A null means that the member must be absent.
public struct DesiredEnvironment: Sendable, Hashable {
  public static let quotaName = "nagaya.dev-tenant"
  /// On bindings and quotas that the controller made.
  static let managedLabels = ["app.kubernetes.io/managed-by": "nagaya-tenancy"]

  public var namespace: KubernetesObject
  /// One per role that has members.
  public var bindings: [KubernetesObject]
  public var quota: KubernetesObject?
  public var limits: KubernetesObject?

  /// - Parameter environment: its name; `nil` for a namespace of the tenant that is no longer listed.
  public init(of tenant: Tenant, namespace name: String, environment: String?) {
    namespace = KubernetesObject(.namespaces, name: name, labels: [Tenant.label: tenant.name])
    if let environment {
      namespace.labels[Tenant.environmentLabel] = environment
      if let level = tenant.podSecurity(of: environment) { namespace.labels[PodSecurityLevel.label] = level.rawValue }
    }
    // A member that is null must be absent: what is no longer connected is cut off.
    let isConnected = environment.map(tenant.connectedEnvironments.contains) ?? false
    namespace.metadata["labels"][NamespaceLabels.network] = isConnected ? .string(NamespaceLabels.connected) : .null
    bindings = Tenant.Role.allCases.compactMap { Self.binding(of: tenant, $0, in: name) }
    quota = tenant.quota.isEmpty ? nil : Self.quota(of: tenant, in: name)
    limits = tenant.limits.isEmpty ? nil : Self.limits(of: tenant, in: name)
  }

  static func bindingName(_ role: Tenant.Role) -> String { "nagaya.dev:tenant-\(role.rawValue)" }

  private static func binding(of tenant: Tenant, _ role: Tenant.Role, in namespace: String) -> KubernetesObject? {
    let members = Set(tenant.members.filter { $0.role == role }).sorted { ($0.kind, $0.name) < ($1.kind, $1.name) }
    guard !members.isEmpty else { return nil }
    var binding = KubernetesObject(
      .roleBindings, namespace: namespace, name: bindingName(role),
      labels: managedLabels.merging([Tenant.label: tenant.name]) { $1 })
    binding["roleRef"] = [
      "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role.rawValue),
    ]
    binding["subjects"] = .array(
      members.map {
        ["apiGroup": "rbac.authorization.k8s.io", "kind": .string($0.kind), "name": .string($0.name)]
      })
    return binding
  }

  private static func quota(of tenant: Tenant, in namespace: String) -> KubernetesObject {
    var quota = KubernetesObject(
      .resourceQuotas, namespace: namespace, name: quotaName,
      labels: managedLabels.merging([Tenant.label: tenant.name]) { $1 })
    quota.spec["hard"] = .object(tenant.quota)
    return quota
  }

  private static func limits(of tenant: Tenant, in namespace: String) -> KubernetesObject {
    var range = KubernetesObject(
      .limitRanges, namespace: namespace, name: quotaName,
      labels: managedLabels.merging([Tenant.label: tenant.name]) { $1 })
    var item = tenant.limits
    item["type"] = "Container"
    range.spec["limits"] = [.object(item)]
    return range
  }
}
