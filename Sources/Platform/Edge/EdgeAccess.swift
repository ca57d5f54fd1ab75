import JSONDocument
public import KubernetesAPI

/// What the edge may ask the API for: where apps are, and nothing else. Namespaces say whose a host is, pods which addresses
/// they really have.
public enum EdgeAccess {
  /// The name of its role, of its binding and of its user.
  public static let name = "system:nagaya:edge"

  /// Its ClusterRole.
  public static var role: KubernetesObject {
    func rule(_ group: JSONValue, _ resources: JSONValue) -> JSONValue {
      ["apiGroups": [group], "resources": resources, "verbs": ["list", "watch"]]
    }
    var role = KubernetesObject(.clusterRoles, name: name)
    role["rules"] = [
      rule("", ["namespaces", "pods"]), rule("nagaya.dev", ["applications"]),
      rule("discovery.k8s.io", ["endpointslices"]),
    ]
    return role
  }

  /// The label that an object must have for the edge to see it: environments of tenants, pods of apps, slices of services.
  /// The API server's authorizer holds the edge to it.
  public static let labels: [Resource: String] = [
    .namespaces: TenantEnvironment.tenantLabel, .pods: podLabel, .endpointSlices: sliceLabel,
  ]

  static let podLabel = "app.nagaya.dev/name"
  static let sliceLabel = "kubernetes.io/service-name"
}
