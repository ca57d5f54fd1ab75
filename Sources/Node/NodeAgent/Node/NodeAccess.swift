import JSONDocument
import KubernetesAPI

/// What a node agent may ask the API for, besides what the pods bound to its node name: secrets, config maps, claims, volumes
/// and accounts come to it by the API server's node authorizer, object by object, and never by a role.
public enum NodeAccess {
  /// The name of its role.
  public static let name = "system:node"

  /// Its ClusterRole. The authorizer holds for the writes that they are about the agent's own node and pods.
  public static var role: KubernetesObject {
    func rule(_ group: JSONValue, _ resources: JSONValue, _ verbs: JSONValue) -> JSONValue {
      ["apiGroups": [group], "resources": resources, "verbs": verbs]
    }
    var role = KubernetesObject(.clusterRoles, name: name)
    role["rules"] = [
      rule("", ["nodes"], ["get", "list", "watch", "create", "update", "patch"]),
      rule("", ["nodes/status"], ["update", "patch"]),
      rule("", ["pods"], ["get", "list", "watch", "delete"]),
      rule("", ["pods/status"], ["update", "patch"]),
      rule("", ["services"], ["get", "list", "watch"]),
      // Which environments are connected: the pods' firewall follows it.
      rule("", ["namespaces"], ["get", "list", "watch"]),
      rule("", ["events"], ["create", "update", "patch"]),
      rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch", "delete"]),
      rule("storage.k8s.io", ["csidrivers"], ["get", "list", "watch"]),
      rule("storage.k8s.io", ["csinodes"], ["get", "create", "update", "patch"]),
    ]
    return role
  }
}
