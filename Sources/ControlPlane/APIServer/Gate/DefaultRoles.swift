import JSONDocument
import KubernetesAPI

/// The roles that every server begins with; they are created at start where they are missing, and brought up to date where
/// nobody objects (`RoleReconciliation`).
public enum DefaultRoles {
  private static let readVerbs = ["get", "list", "watch"]
  private static let writeVerbs = ["create", "update", "patch", "delete", "deletecollection"]

  /// ClusterRoles, then ClusterRoleBindings.
  public static var objects: [KubernetesObject] {
    [
      role("cluster-admin", RBACRule.everything),
      role("admin", adminRules), role("edit", editRules), role("view", viewRules),
      role(
        "system:discovery",
        [
          RBACRule(
            verbs: ["get"],
            nonResourceURLs: [
              "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz",
              "/version", "/version/",
            ])
        ]),
      role(
        "system:basic-user",
        [
          RBACRule(
            verbs: ["create"], apiGroups: ["authorization.k8s.io"],
            resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
          RBACRule(verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"]),
        ]),
      role(
        "system:public-info-viewer",
        [RBACRule(verbs: ["get"], nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version", "/version/"])]),
      role(
        "system:service-account-issuer-discovery",
        [RBACRule(verbs: ["get"], nonResourceURLs: ["/.well-known/openid-configuration", "/openid/v1/jwks"])]),
      role(
        "system:monitoring",
        [RBACRule(verbs: ["get"], nonResourceURLs: ["/healthz", "/livez", "/metrics", "/readyz"])]),
      binding("system:monitoring", to: ["system:monitoring"]),
      binding("system:service-account-issuer-discovery", to: ["system:serviceaccounts"]),
      binding("cluster-admin", to: ["system:masters"]),
      binding("system:discovery", to: ["system:authenticated"]),
      binding("system:basic-user", to: ["system:authenticated"]),
      binding("system:public-info-viewer", to: ["system:authenticated", "system:unauthenticated"]),
    ]
  }

  /// What a viewer reads: everything of a namespace but secrets and roles. Names of the cluster's kinds hold where the
  /// role is bound to the whole cluster.
  private static var viewRules: [RBACRule] {
    [
      RBACRule(
        verbs: readVerbs, apiGroups: [""],
        resources: [
          "configmaps", "events", "limitranges", "namespaces", "namespaces/status", "persistentvolumeclaims",
          "persistentvolumeclaims/status", "pods", "pods/log", "pods/status", "resourcequotas",
          "resourcequotas/status", "serviceaccounts", "services", "services/status",
        ]),
      RBACRule(
        verbs: readVerbs, apiGroups: ["apps"],
        resources: [
          "deployments", "deployments/scale", "deployments/status", "replicasets", "replicasets/scale",
          "replicasets/status",
        ]),
      RBACRule(verbs: readVerbs, apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"]),
      RBACRule(verbs: readVerbs, apiGroups: ["events.k8s.io"], resources: ["events"]),
      RBACRule(
        verbs: readVerbs, apiGroups: ["nagaya.dev"],
        resources: ["applications", "applications/scale", "applications/status", "tenants", "tenants/status"]),
      RBACRule(verbs: readVerbs, apiGroups: ["storage.nagaya.dev"], resources: ["volumepools", "volumepools/status"]),
      RBACRule(
        verbs: readVerbs, apiGroups: ["snapshot.storage.k8s.io"],
        resources: ["volumesnapshots", "volumesnapshots/status", "volumesnapshotclasses"]),
    ]
  }

  private static var editRules: [RBACRule] {
    viewRules + [
      RBACRule(verbs: readVerbs + writeVerbs, apiGroups: [""], resources: ["secrets"]),
      RBACRule(
        verbs: writeVerbs, apiGroups: [""],
        resources: ["configmaps", "events", "persistentvolumeclaims", "pods", "serviceaccounts", "services"]),
      RBACRule(verbs: ["create"], apiGroups: [""], resources: ["pods/eviction", "serviceaccounts/token"]),
      RBACRule(
        verbs: writeVerbs, apiGroups: ["apps"],
        resources: ["deployments", "deployments/scale", "replicasets", "replicasets/scale"]),
      RBACRule(
        verbs: readVerbs + writeVerbs, apiGroups: ["coordination.k8s.io"], resources: ["leases"]),
      RBACRule(verbs: writeVerbs, apiGroups: ["nagaya.dev"], resources: ["applications", "applications/scale"]),
      RBACRule(verbs: writeVerbs, apiGroups: ["snapshot.storage.k8s.io"], resources: ["volumesnapshots"]),
    ]
  }

  private static var adminRules: [RBACRule] {
    editRules + [
      RBACRule(
        verbs: readVerbs + writeVerbs, apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"]),
      RBACRule(
        verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["localsubjectaccessreviews"]),
    ]
  }

  /// What marks the platform's own roles and bindings.
  public static let labels = ["kubernetes.io/bootstrapping": "rbac-defaults"]
  /// They follow the platform's version until somebody says otherwise.
  public static let annotations = [RoleReconciliation.annotation: "true"]

  private static func role(_ name: String, _ rules: [RBACRule]) -> KubernetesObject {
    var role = KubernetesObject(.clusterRoles, name: name, labels: labels)
    role.annotations = annotations
    role["rules"] = .array(rules.map(\.json))
    return role
  }

  private static func binding(_ name: String, to groups: [String]) -> KubernetesObject {
    var binding = KubernetesObject(.clusterRoleBindings, name: name, labels: labels)
    binding.annotations = annotations
    binding["roleRef"] = [
      "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(name),
    ]
    binding["subjects"] = .array(
      groups.map { ["apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": .string($0)] })
    return binding
  }
}
