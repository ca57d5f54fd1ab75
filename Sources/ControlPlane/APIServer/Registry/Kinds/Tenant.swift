import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A household: its environments, its people, and how much it may use.
  static let tenant = ResourceDefinition(
    .tenants, singular: "tenant", categories: ["nagaya"], schema: "dev.nagaya.v1alpha1.Tenant", nameRule: .dnsLabel,
    columns: [
      .name,
      .text("Environments", "Its environments; each is a namespace.") {
        $0.spec["environments"].elements.compactMap(\.string).joined(separator: ",")
      },
      .conditionReady, .conditionReason, .age,
    ],
    subresources: [.status], hasGeneration: true,
    validate: { tenant, old in
      var faults = FieldFaults()
      // One that was there before the name was reserved can still be changed, and deleted; its condition tells of it.
      if old == nil, let fault = TenantNames.fault(of: tenant.name) {
        faults.invalid("metadata.name", .string(tenant.name), fault)
      }
      var names: Set<String> = []
      for (index, environment) in tenant.spec["environments"].elements.enumerated() {
        let field = "spec.environments[\(index)]"
        faults.checkDNSLabel(field, environment)
        guard let name = environment.string else { continue }
        if !names.insert(name).inserted { faults.duplicate(field, environment) }
        if "\(tenant.name)-\(name)".utf8.count > 63 {
          faults.invalid(field, environment, "the namespace <tenant>-<environment> may have at most 63 characters")
        }
      }
      for (index, environment) in tenant.spec["connectedEnvironments"].elements.enumerated()
      where !names.contains(environment.string ?? "") {
        faults.invalid(
          "spec.connectedEnvironments[\(index)]", environment, "must be one of the tenant's environments")
      }
      for (index, member) in tenant.spec["members"].elements.enumerated() {
        let field = "spec.members[\(index)]"
        if (member["name"].string ?? "").isEmpty { faults.required("\(field).name") }
        if member["kind"].isNull { faults.required("\(field).kind") }
        if member["role"].isNull { faults.required("\(field).role") }
        faults.checkChoice("\(field).kind", member["kind"], ["Group", "User"])
        faults.checkChoice("\(field).role", member["role"], ["admin", "edit", "view"])
      }
      faults.checkResourceList("spec.quota.hard", tenant.spec["quota"]["hard"])
      faults.checkLimitRangeItem("spec.limits", tenant.spec["limits"], type: "Container")
      faults.checkChoice("spec.podSecurity.level", tenant.spec["podSecurity"]["level"], ["baseline", "restricted"])
      for (name, level) in tenant.spec["podSecurity"]["environments"].members.sorted(by: { $0.key < $1.key }) {
        faults.checkChoice("spec.podSecurity.environments[\(name)]", level, ["baseline", "restricted"])
      }
      return faults.causes
    })
}
