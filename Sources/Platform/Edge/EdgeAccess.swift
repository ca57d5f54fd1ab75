import JSONDocument
import KubernetesAPI

/// What the edge may ask the API for: where apps are, and nothing else. Namespaces say whose a host is, pods which addresses
/// they really have.
public enum EdgeAccess {
  /// The name of its role, of its binding and of its user.
  public static let name = "system:nagaya:edge"

  /// Its ClusterRole.
  public static var role: KubernetesObject {
    var role = KubernetesObject(.clusterRoles, name: name)
    role["rules"] = [
      ["apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["get", "list", "watch"]],
      ["apiGroups": ["nagaya.dev"], "resources": ["applications"], "verbs": ["get", "list", "watch"]],
      ["apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]],
    ]
    return role
  }
}
