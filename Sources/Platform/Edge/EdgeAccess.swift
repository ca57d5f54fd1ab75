public import KubernetesAPI

/// What the edge may ask the API for: where apps are and certificates of their hosts, and nothing else. Namespaces say whose a host is, pods which addresses
/// they really have.
public enum EdgeAccess {
  /// The name of its role, of its binding and of its user.
  public static var name: String { role.name }

  public static let role = PartRole(
    "system:nagaya:edge",
    [
      .init("", ["namespaces", "pods"], ["list", "watch"]), .init("nagaya.dev", ["applications"], ["list", "watch"]),
      .init("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
      .init("edge.nagaya.dev", ["certificates"], ["create"]),
    ])

  /// The label that an object must have for the edge to see it: environments of tenants, pods of apps, slices of services.
  /// The API server's authorizer holds the edge to it.
  public static let labels: [Resource: String] = [
    .namespaces: TenantEnvironment.tenantLabel, .pods: podLabel, .endpointSlices: sliceLabel,
  ]

  static let podLabel = "app.nagaya.dev/name"
  static let sliceLabel = "kubernetes.io/service-name"
}
