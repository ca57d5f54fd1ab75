public import KubernetesAPI

/// What a node agent may ask the API for, besides what the pods bound to its node name: secrets, config maps, claims, volumes
/// and accounts come to it by the API server's node authorizer, object by object, and never by a role.
public enum NodeAccess {
  /// The name of its role.
  public static var name: String { role.name }

  /// The authorizer holds for the writes that they are about the agent's own node and pods.
  public static let role = PartRole(
    "system:node",
    [
      .init("", ["nodes"], ["get", "list", "watch", "create", "update", "patch"]),
      .init("", ["nodes/status", "pods/status"], ["update", "patch"]),
      .init("", ["pods"], ["get", "list", "watch", "delete"]),
      .init("", ["services"], ["get", "list", "watch"]),
      // Which environments are connected: the pods' firewall follows it.
      .init("", ["namespaces"], ["get", "list", "watch"]),
      .init("", ["events"], ["create", "update", "patch"]),
      .init("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch", "delete"]),
      .init("storage.k8s.io", ["csidrivers"], ["get", "list", "watch"]),
      .init("storage.k8s.io", ["csinodes"], ["get", "create", "update", "patch"]),
    ])
}
