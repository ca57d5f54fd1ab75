import KubernetesAPI
import KubernetesClient

/// Who may make, relabel and delete namespaces of tenants. The API server asks it before it writes a Namespace.
///
/// The label `nagaya.dev/tenant` decides who may do what in a namespace, and names of the form `<tenant>-…` are kept
/// free for the tenant's environments; so both are for the tenancy controller and for administrators only.
public struct TenantAdmission: Sendable, Hashable {
  /// The user that the tenancy controller acts as.
  public var controllerUser: String
  /// Groups whose members administer the cluster.
  public var administratorGroups: Set<String>

  public init(controllerUser: String, administratorGroups: Set<String> = [UserInfo.mastersGroup]) {
    self.controllerUser = controllerUser
    self.administratorGroups = administratorGroups
  }

  /// Judges a write of a Namespace.
  /// - Parameters:
  ///   - old: what is stored; `nil` when it is created.
  ///   - new: what is to be stored; `nil` when it is deleted.
  ///   - tenants: the names of all tenants.
  /// - Returns: the refusal; `nil` if nothing speaks against it.
  public func refusal(
    old: KubernetesObject?, new: KubernetesObject?, by user: UserInfo, tenants: some Collection<String>
  ) -> APIStatus? {
    guard !isTrusted(user) else { return nil }
    let name = new?.name ?? old?.name ?? ""
    let oldTenant = old?.labels[Tenant.label]
    if let old, let new {
      for label in [Tenant.label, Tenant.environmentLabel, NamespaceLabels.network]
      where old.labels[label] != new.labels[label] {
        return .forbidden(
          .namespaces, name,
          "the label \(label) says whose the namespace is and what it reaches; only administrators may change it")
      }
      let level = PodSecurityLevel.label
      if oldTenant != nil, old.labels[level] != new.labels[level] {
        return .forbidden(
          .namespaces, name, "the label \(level) says what pods may ask for; only administrators may change it")
      }
      return nil
    }
    if let old {
      // One that ends already has had its leave; whoever empties it lets it go.
      guard let oldTenant, !old.isBeingDeleted else { return nil }
      return .forbidden(
        .namespaces, name,
        "it is an environment of tenant \(oldTenant); take it out of the tenant first: kubectl edit tenant \(oldTenant)"
      )
    }
    if [Tenant.label, Tenant.environmentLabel, NamespaceLabels.network].contains(where: { new?.labels[$0] != nil }) {
      return .forbidden(
        .namespaces, name, "namespaces of tenants are made by adding an environment to the tenant")
    }
    if let tenant = tenants.first(where: { name.hasPrefix("\($0)-") }) {
      return .forbidden(
        .namespaces, name,
        "names that begin with \(tenant)- belong to tenant \(tenant); add an environment to it, or take another name")
    }
    return nil
  }

  private func isTrusted(_ user: UserInfo) -> Bool {
    user.name == controllerUser || !administratorGroups.isDisjoint(with: user.groups)
  }
}
