public import KubernetesAPI

/// What the controller of applications may ask the API for.
public enum ApplicationAccess {
  public static let role = PartRole(
    "system:nagaya:applications",
    [
      .init("nagaya.dev", ["applications"], ["get", "list", "watch", "update"]),
      .init("nagaya.dev", ["applications/status", "applications/finalizers"], ["update"]),
      .init("apps", ["deployments"], ["get", "list", "watch", "create", "update"]),
      .init("apps", ["replicasets"], ["list", "watch"]),
      .init("", ["services"], ["get", "list", "watch", "create", "update"]),
      .init("", ["persistentvolumeclaims"], ["get", "list", "watch", "create", "update", "delete"]),
      .init("", ["pods", "namespaces", "events"], ["list", "watch"]),
      .init("storage.k8s.io", ["csistoragecapacities"], ["list", "watch"]),
    ])
}
