import KubernetesAPI

/// Which pods may reach each other: those of one zone, and no others.
///
/// A zone is one environment, or all environments that a tenant connects. A namespace that is not known (yet) is a zone
/// of its own, so that nothing opens by not knowing.
struct NetworkZone: Hashable, Sendable {
  /// What the zone's chain and set are called: names of namespaces and tenants are DNS labels, which nftables takes as
  /// they are behind a prefix that keeps them off its keywords.
  let name: String

  /// - Parameter labels: of the namespace object; empty if it is not known.
  /// - Returns: `nil` if the namespace's name is none: such a pod gets no network.
  init?(namespace: String, labels: [String: String]) {
    if let tenant = labels[NamespaceLabels.tenant], Names.isDNSLabel(tenant),
      labels[NamespaceLabels.network] == NamespaceLabels.connected
    {
      name = "tenant_\(tenant)"
    } else if Names.isDNSLabel(namespace) {
      name = "environment_\(namespace)"
    } else {
      return nil
    }
  }
}
