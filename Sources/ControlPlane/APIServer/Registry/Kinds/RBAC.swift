import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  static let role = ResourceDefinition(
    .roles, singular: "role", schema: "io.k8s.api.rbac.v1.Role", nameRule: .pathSegment,
    columns: [.name, .createdAt], prepareForCreate: { _ in },
    validate: { role, _ in ruleFaults(role, inNamespace: true) })

  static let clusterRole = ResourceDefinition(
    .clusterRoles, singular: "clusterrole", schema: "io.k8s.api.rbac.v1.ClusterRole", nameRule: .pathSegment,
    columns: [.name, .createdAt], prepareForCreate: { _ in },
    validate: { role, _ in ruleFaults(role, inNamespace: false) })

  static let roleBinding = binding(.roleBindings, "rolebinding", "RoleBinding")
  static let clusterRoleBinding = binding(.clusterRoleBindings, "clusterrolebinding", "ClusterRoleBinding")

  private static func binding(_ resource: Resource, _ singular: String, _ kind: String) -> ResourceDefinition {
    ResourceDefinition(
      resource, singular: singular, schema: "io.k8s.api.rbac.v1.\(kind)", nameRule: .pathSegment,
      columns: [
        .name,
        .text("Role", "What it grants.") {
          "\($0["roleRef"]["kind"].string ?? "")/\($0["roleRef"]["name"].string ?? "")"
        },
        .age,
        subjects("Users", "Users it grants it to.", "User"), subjects("Groups", "Groups it grants it to.", "Group"),
        subjects("ServiceAccounts", "Service accounts it grants it to.", "ServiceAccount"),
      ],
      applyDefaults: { binding in
        binding.json["roleRef"].setDefault("apiGroup", "rbac.authorization.k8s.io")
        binding.json.updateElements("subjects") { subject in
          let isAccount = subject["kind"].string == "ServiceAccount"
          if !isAccount { subject.setDefault("apiGroup", "rbac.authorization.k8s.io") }
        }
      },
      prepareForCreate: { _ in },
      validate: { binding, old in
        var faults = FieldFaults()
        let roleKinds = resource.isNamespaced ? ["ClusterRole", "Role"] : ["ClusterRole"]
        faults.checkChoice("roleRef.kind", binding["roleRef"]["kind"], roleKinds)
        faults.checkChoice("roleRef.apiGroup", binding["roleRef"]["apiGroup"], ["rbac.authorization.k8s.io"])
        if (binding["roleRef"]["name"].string ?? "").isEmpty { faults.required("roleRef.name") }
        for (index, subject) in binding["subjects"].elements.enumerated() {
          let field = "subjects[\(index)]"
          if (subject["name"].string ?? "").isEmpty { faults.required("\(field).name") }
          faults.checkChoice("\(field).kind", subject["kind"], ["Group", "ServiceAccount", "User"])
          if subject["kind"].string == "ServiceAccount", (subject["namespace"].string ?? "").isEmpty {
            faults.required("\(field).namespace")
          }
        }
        if let old, old["roleRef"] != binding["roleRef"] {
          faults.invalid("roleRef", binding["roleRef"], "cannot change roleRef")
        }
        return faults.causes
      })
  }

  private static func subjects(_ name: String, _ description: String, _ kind: String) -> TableColumn {
    .text(name, description, wide: true, missing: "") { binding in
      binding["subjects"].elements.filter { $0["kind"].string == kind }.map { subject in
        let name = subject["name"].string ?? ""
        return kind == "ServiceAccount" ? "\(subject["namespace"].string ?? "")/\(name)" : name
      }.joined(separator: ", ")
    }
  }

  private static func ruleFaults(_ role: KubernetesObject, inNamespace: Bool) -> [APIStatus.Cause] {
    var faults = FieldFaults()
    for (index, rule) in role["rules"].elements.enumerated() {
      let field = "rules[\(index)]"
      if rule["verbs"].elements.isEmpty { faults.required("\(field).verbs", "verbs must contain at least one value") }
      let paths = rule["nonResourceURLs"].elements
      if !paths.isEmpty {
        if inNamespace {
          faults.invalid(
            "\(field).nonResourceURLs", rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs")
        }
        if !rule["apiGroups"].elements.isEmpty || !rule["resources"].elements.isEmpty {
          faults.invalid(
            "\(field).nonResourceURLs", rule["nonResourceURLs"],
            "rules cannot apply to both regular resources and non-resource URLs")
        }
        continue
      }
      if rule["apiGroups"].elements.isEmpty {
        faults.required("\(field).apiGroups", "resource rules must supply at least one api group")
      }
      if rule["resources"].elements.isEmpty {
        faults.required("\(field).resources", "resource rules must supply at least one resource")
      }
    }
    return faults.causes
  }
}
