import JSONDocument
public import KubernetesAPI

/// What the hooks may ask the API for: what holds, whose namespaces are, of which class volumes are; and they may tell of pods.
public enum HookAccess {
  /// The name of their role, of its binding and of their user.
  public static let name = "system:nagaya:hooks"

  /// Their ClusterRole.
  public static var role: KubernetesObject {
    func rule(_ group: JSONValue, _ resources: JSONValue, _ verbs: JSONValue) -> JSONValue {
      ["apiGroups": [group], "resources": resources, "verbs": verbs]
    }
    var role = KubernetesObject(.clusterRoles, name: name)
    role["rules"] = [
      rule("nagaya.dev", ["nodepolicies"], ["list", "watch"]),
      rule("", ["namespaces", "persistentvolumes"], ["list", "watch"]),
      rule("", ["events"], ["create", "patch"]),
    ]
    return role
  }
}
