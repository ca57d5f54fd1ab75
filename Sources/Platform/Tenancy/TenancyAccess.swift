public import KubernetesAPI

/// What the controller of tenants may ask the API for.
public enum TenancyAccess {
  public static let role = PartRole(
    "system:nagaya:tenancy",
    [
      .init("nagaya.dev", ["tenants"], ["list", "watch", "update"]),
      .init("nagaya.dev", ["tenants/status"], ["update"]),
      .init("nagaya.dev", ["applications"], ["list", "watch"]),
      .init(
        "", ["namespaces", "resourcequotas", "limitranges"], ["get", "list", "watch", "create", "update", "delete"]),
      .init("", ["persistentvolumeclaims"], ["list", "watch"]),
      .init(
        "rbac.authorization.k8s.io", ["rolebindings"], ["get", "list", "watch", "create", "update", "delete"]),
      // It gives members these roles, and no others.
      .init("rbac.authorization.k8s.io", ["clusterroles"], ["bind"], names: ["admin", "edit", "view"]),
    ])
}
