public import KubernetesAPI

/// What the controllers of Kubernetes' own kinds may ask the API for.
public enum ControllersAccess {
  public static let role = PartRole(
    "system:nagaya:controllers",
    [
      // A namespace that ends is emptied of whatever it holds, of kinds that nobody knows yet, too.
      .init("*", ["*"], ["list", "deletecollection"]),
      .init("", ["namespaces", "nodes", "pods", "services", "serviceaccounts", "persistentvolumeclaims"], ["watch"]),
      .init("", ["namespaces/status", "namespaces/finalize", "nodes/status", "pods/status"], ["update"]),
      .init("", ["nodes"], ["get", "patch"]), .init("", ["pods"], ["create", "delete"]),
      .init("", ["serviceaccounts", "persistentvolumeclaims"], ["create"]),
      .init("", ["configmaps"], ["get", "create", "update"]),
      .init("", ["events"], ["create", "patch", "delete"]),
      .init("apps", ["deployments"], ["watch", "patch"]),
      .init("apps", ["replicasets"], ["get", "watch", "create", "update", "delete"]),
      .init("apps", ["deployments/status", "replicasets/status"], ["update"]),
      // What they own waits for their end.
      .init("apps", ["deployments/finalizers", "replicasets/finalizers"], ["update"]),
      .init("", ["services/finalizers", "pods/finalizers"], ["update"]),
      .init("discovery.k8s.io", ["endpointslices"], ["watch", "create", "update", "delete"]),
      .init("coordination.k8s.io", ["leases"], ["watch"]),
    ])
}
