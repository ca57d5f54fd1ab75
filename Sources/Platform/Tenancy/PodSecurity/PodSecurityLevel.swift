public import KubernetesAPI

/// How much pods of an environment may ask for (Pod Security Standards).
public enum PodSecurityLevel: String, Sendable, Hashable, CaseIterable {
  /// Nothing that reaches beyond the pod.
  case baseline
  /// Beside that only what hardened programs need: no root, no capabilities, no gain of rights.
  case restricted

  /// On a namespace, as upstream.
  public static let label = "pod-security.kubernetes.io/enforce"

  /// The level of a tenant's namespace; `nil` for other namespaces.
  ///
  /// `privileged` is no level of tenants: it is baseline. A word that nobody knows is taken for the stricter level.
  public init?(of namespace: KubernetesObject) {
    guard namespace.labels[Tenant.label] != nil else { return nil }
    switch namespace.labels[Self.label] {
    case nil, "", "baseline", "privileged": self = .baseline
    default: self = .restricted
    }
  }
}
